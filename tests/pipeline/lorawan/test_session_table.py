"""Sessions of the registry: many behind one DevAddr, others after a reload, and some that come back."""

from collections.abc import Iterator

import pytest

from pipeline.core.errors import Reason
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.phy_payload import DataUp
from pipeline.lorawan.statistics import FrameOutcome
from tests.pipeline.lorawan.rig import WINDOW, Clock, File, Worker, heard
from tests.pipeline.lorawan.test_sessions import DEVICE, EUI, KEYS, OTHER_FREQUENCY, TWIN, TWIN_DEVICE, counts, up
from tests.support.lorawan import data_up, session


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock() as made:
        yield made


def test_another_registry_keeps_the_counters_of_its_sessions(clock: Clock) -> None:
    worker = Worker([DEVICE, TWIN_DEVICE])
    up(worker, clock, 50)
    renamed = Device("th-17-roof", dev_eui=EUI, sessions=(session("01ab23cd", 3), KEYS))
    worker.directory.take(DeviceRegistry([renamed]))
    up(worker, clock, 50, 51)
    worker.feeds[0].hear(heard(data_up(TWIN, 1, b"gone")))
    clock.advance(WINDOW * 2)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [50, 51]
    assert worker.dead.reasons == [Reason.MIC_INVALID]


def test_a_session_that_comes_back_accepts_nothing_twice(clock: Clock) -> None:
    worker = Worker([DEVICE])
    up(worker, clock, 5, 6, 7)
    worker.directory.take(DeviceRegistry([]))
    up(worker, clock, 8)
    worker.directory.take(DeviceRegistry([DEVICE]))
    worker.feeds[0].hear(*(heard(data_up(KEYS, n, b"t%d" % n), frequency=OTHER_FREQUENCY) for n in (7, 6, 5)))
    up(worker, clock, 9)
    assert [each.f_cnt for each in worker.uplinks.uplinks()] == [5, 6, 7, 9]
    assert counts(worker) == {FrameOutcome.UPLINK: 4, FrameOutcome.FOREIGN: 1, FrameOutcome.RETRANSMISSION: 3}


def test_what_was_perhaps_not_acknowledged_stays_so_while_its_session_is_away(clock: Clock) -> None:
    before = Worker([DEVICE])
    up(before, clock, 5)
    worker = Worker([DEVICE], File(before.file.written))
    up(worker, clock)
    worker.feeds[0].hear(heard(data_up(session("01ab23cd", 9), 1, b"x")))  # the session is looked up
    clock.advance(WINDOW * 2)
    worker.directory.take(DeviceRegistry([]))
    worker.directory.take(DeviceRegistry([DEVICE]))
    up(worker, clock, 5)
    assert [each.f_cnt for each in worker.uplinks.uplinks()] == [5]


def test_a_dev_addr_that_very_many_share_costs_a_bounded_number_of_tries(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    verifies = Keys.verifies

    def counted(keys: Keys, frame: DataUp, f_cnt: int) -> bool:
        nonlocal tries
        tries += 1
        return verifies(keys, frame, f_cnt)

    monkeypatch.setattr(Keys, "verifies", counted)
    crowd = [session("01ab23cd", seed) for seed in range(1, 301)]
    worker = Worker([Device(f"d-{n}", sessions=(each,)) for n, each in enumerate(crowd)])
    worker.feeds[0].hear(heard(data_up(session("01ab23cd", 999), 5, b"x")))
    clock.advance(WINDOW * 2)
    assert tries <= 1024
    assert worker.dead.reasons == [Reason.MIC_INVALID]
    worker.feeds[0].hear(heard(data_up(crowd[-1], 2 * 65536 + 5, b"x")), heard(data_up(crowd[-2], 7, b"x")))
    clock.advance(WINDOW * 2)
    assert [each.f_cnt for each in worker.uplinks.uplinks()] == [2 * 65536 + 5, 7]

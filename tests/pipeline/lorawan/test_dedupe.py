"""What is remembered of transmissions is bounded, and forgetting costs nothing but work."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from pipeline.core.delivery import Batch
from pipeline.devices.registry import Device
from pipeline.lorawan import dedupe as module
from pipeline.lorawan.dedupe import Copies
from pipeline.lorawan.sessions import Sessions
from pipeline.lorawan.statistics import FrameOutcome
from tests.pipeline.lorawan.rig import WINDOW, Clock, Worker, heard
from tests.support.lorawan import data_up, session

KEYS = session("01ab23cd", 1)
DEVICE = Device("th-17", dev_eui="0011223344556677", sessions=(KEYS,))


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock() as made:
        yield made


def test_in_order_of_first_arrival(clock: Clock) -> None:
    worker = Worker([DEVICE])
    first, second = (data_up(KEYS, f_cnt, b"x") for f_cnt in (1, 2))
    for phy, gateway in ((first, 1), (second, 1), (second, 2), (first, 2)):
        worker.feeds[0].hear(heard(phy, gateway))
        clock.advance(WINDOW / 10)
    assert worker.feeds[0].dedupe.pending() == 4
    clock.advance(WINDOW)
    assert [(each.f_cnt, len(each.receptions())) for each in worker.uplinks.uplinks()] == [(1, 2), (2, 2)]


def test_one_timer_for_all(clock: Clock) -> None:
    worker = Worker([DEVICE])
    for f_cnt in range(1, 100):
        worker.feeds[0].hear(heard(data_up(KEYS, f_cnt, b"x")))
        clock.advance(0.001)
    assert len(clock.alarms) == 1
    clock.advance(WINDOW * 2)
    assert len(worker.uplinks.uplinks()) == 99
    assert clock.alarms == []


def test_another_data_rate_is_another_transmission(clock: Clock) -> None:
    worker = Worker([DEVICE])
    frame = heard(data_up(KEYS, 1, b"x"))
    worker.feeds[0].hear(frame, replace(frame, data_rate="SF12BW125"))
    clock.advance(WINDOW * 2)
    assert worker.feeds[0].raw.outcomes[FrameOutcome.RETRANSMISSION] == 1


def test_a_broken_copy_never_joins_a_good_one(clock: Clock) -> None:
    worker = Worker([DEVICE])
    phy = data_up(KEYS, 1, b"x")
    worker.feeds[0].hear(heard(phy, 1, crc_ok=False), heard(phy, 2), heard(phy, 3, crc_ok=None))
    clock.advance(WINDOW * 2)
    [uplink] = worker.uplinks.uplinks()
    assert [each.gateway[-1] for each in uplink.receptions()] == ["2", "3"]
    assert worker.feeds[0].raw.outcomes[FrameOutcome.CRC_INVALID] == 1


def test_forgotten_ones_are_known_by_their_counter(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)
    worker = Worker([DEVICE])
    frames = [heard(data_up(KEYS, f_cnt, b"x")) for f_cnt in range(1, 8)]
    for frame in frames:
        worker.feeds[0].hear(frame)
        clock.advance(WINDOW * 2)
    assert len(worker.feeds[0].dedupe._known) == 3
    worker.feeds[0].hear(*frames)
    clock.advance(WINDOW * 2)
    outcomes = worker.feeds[0].raw.outcomes
    assert (outcomes[FrameOutcome.LATE_COPY], outcomes[FrameOutcome.RETRANSMISSION], outcomes[FrameOutcome.UPLINK]) == (
        3,
        4,
        7,
    )
    clock.advance(120)
    worker.feeds[0].hear(heard(data_up(KEYS, 9, b"x")))
    clock.advance(WINDOW * 2)
    assert len(worker.feeds[0].dedupe._known) == 1, "and after a minute"


def test_more_than_may_be_kept_go_on_at_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 10)
    worker = Worker([DEVICE])
    for f_cnt in range(1, 12):
        assert worker.feeds[0].dedupe.pending() <= 10
        worker.feeds[0].hear(heard(data_up(KEYS, f_cnt, b"x")))
    assert worker.feeds[0].dedupe.pending() == 0
    assert len(worker.uplinks.uplinks()) == 11
    assert clock.now == 1000


def test_bytes_too_long_for_a_frame_are_not_remembered(clock: Clock) -> None:
    worker = Worker([DEVICE])
    long, other = (bytes([0xE0]) + bytes(190_000) + end for end in (b"1", b"2"))
    worker.feeds[0].hear(heard(long, 1), heard(long, 2), heard(other, 1))
    clock.advance(WINDOW * 2)
    worker.feeds[0].hear(heard(long, 3))
    assert sum(len(phy) for phy, *_ in worker.feeds[0].dedupe._known) < 100
    outcomes = worker.feeds[0].raw.outcomes
    assert (outcomes[FrameOutcome.COPY], outcomes[FrameOutcome.LATE_COPY], outcomes[FrameOutcome.FRAME_INVALID]) == (
        1,
        1,
        2,
    )
    assert worker.feeds[0].ledger.conserved()


def test_a_flood_leaves_the_loop_to_the_others(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 10)
    monkeypatch.setattr(module, "_FEWEST_AT_ONCE", 10)  # however slow this machine is
    sizes: list[int] = []
    put = Sessions.put

    def counted(stage: Sessions, batch: Batch[Copies]) -> None:
        sizes.append(len(batch.items))
        put(stage, batch)

    monkeypatch.setattr(Sessions, "put", counted)
    worker = Worker([DEVICE])
    worker.feeds[0].hear(*(heard(data_up(KEYS, f_cnt, b"x")) for f_cnt in range(1, 26)))
    clock.advance(WINDOW * 2)
    assert [each.f_cnt for each in worker.uplinks.uplinks()] == list(range(1, 26))
    assert sizes == [10, 10, 5]
    assert clock.alarms == []

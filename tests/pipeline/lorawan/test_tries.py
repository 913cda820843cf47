"""Forged frames of a DevAddr that many sessions share: what they cost is bounded, and no device's own frame is lost."""

import asyncio
from collections.abc import Iterator

import pytest

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason
from pipeline.devices.registry import Device, Session
from pipeline.lorawan import tries as module
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.phy_payload import DataUp
from pipeline.lorawan.statistics import FrameOutcome
from pipeline.lorawan.tries import A_SECOND, FREE, PutOffError, Tries
from tests.pipeline.lorawan.rig import WINDOW, Clock, Worker, heard
from tests.support.lorawan import data_up, session

ADDRESS = "01ab23cd"
CROWD = [session(ADDRESS, seed) for seed in range(1, 17)]
STRANGER = session(ADDRESS, 999)
DATAGRAM = 255  # frames
ROLLED = 65_536


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock() as made:
        yield made


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the tries of keys, in its one element."""
    count, verifies = [0], Keys.verifies

    def counted(keys: Keys, frame: DataUp, f_cnt: int) -> bool:
        count[0] += 1
        return verifies(keys, frame, f_cnt)

    monkeypatch.setattr(Keys, "verifies", counted)
    return count


def crowd() -> Worker:
    return Worker([Device(f"d-{number}", sessions=(each,)) for number, each in enumerate(CROWD)])


def send(worker: Worker, clock: Clock, *frames: tuple[Session, int]) -> None:
    worker.feeds[0].hear(*(heard(data_up(keys, f_cnt, b"x")) for keys, f_cnt in frames))
    clock.advance(WINDOW * 1.5)


def test_a_datagram_of_forged_frames_costs_a_tenth_of_what_all_tries_would(clock: Clock, tried: list[int]) -> None:
    """255 frames under 16 sessions with 64 roll-overs each: 261,120 tries, and 0.6 s of the loop."""
    worker = crowd()
    send(worker, clock, *((STRANGER, f_cnt) for f_cnt in range(DATAGRAM)))
    assert tried[0] <= DATAGRAM * FREE + 3 * A_SECOND
    clock.advance(60)
    outcomes = worker.feeds[0].raw.outcomes
    assert outcomes[FrameOutcome.TOO_EXPENSIVE] > outcomes[FrameOutcome.MIC_INVALID] >= 64
    assert outcomes[FrameOutcome.TOO_EXPENSIVE] + outcomes[FrameOutcome.MIC_INVALID] == DATAGRAM
    assert set(worker.dead.reasons) == {Reason.TOO_EXPENSIVE, Reason.MIC_INVALID}
    assert worker.feeds[0].ledger.fates[Fate.DEAD_LETTERED] == DATAGRAM
    assert not worker.feeds[0].sessions.pending()


def test_sessions_that_were_heard_are_tried_first_and_cost_nothing_of_the_allowance(
    clock: Clock, tried: list[int]
) -> None:
    worker = crowd()
    send(worker, clock, *((keys, 100 + 50 * number) for number, keys in enumerate(CROWD)))
    tried[0] = 0
    send(worker, clock, *((keys, 101 + 50 * number) for number, keys in enumerate(CROWD)))
    assert tried[0] == len(CROWD), "the session whose last counter is nearest comes first"
    send(worker, clock, *((STRANGER, f_cnt) for f_cnt in range(DATAGRAM)))
    assert worker.feeds[0].raw.outcomes[FrameOutcome.MIC_INVALID] == DATAGRAM, "all are judged at once: few tries each"


def test_a_devices_own_frame_that_needs_many_tries_is_put_off_and_not_refused(clock: Clock) -> None:
    worker = crowd()
    last = CROWD[-1]
    send(worker, clock, *((STRANGER, f_cnt) for f_cnt in range(20)), (last, 9 * ROLLED + 7), (last, 9 * ROLLED + 8))
    assert not worker.uplinks.uplinks()
    assert worker.feeds[0].sessions.pending() > 2
    clock.advance(10)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [9 * ROLLED + 7, 9 * ROLLED + 8]
    assert worker.feeds[0].raw.outcomes[FrameOutcome.MIC_INVALID] == 20
    assert worker.feeds[0].ledger.in_flight() == 0


def test_what_was_put_off_is_tried_before_the_end() -> None:
    async def stopping() -> Worker:
        worker = crowd()
        frames = [*((STRANGER, f_cnt) for f_cnt in range(10)), (CROWD[3], 9 * ROLLED + 1)]
        worker.feeds[0].hear(
            *(heard(data_up(keys, f_cnt, b"x")) for keys, f_cnt in [*frames, (CROWD[3], 9 * ROLLED + 1)])
        )
        await worker.feeds[0].dedupe.drain(float("inf"))
        return worker

    worker = asyncio.run(stopping())
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [9 * ROLLED + 1]
    assert worker.feeds[0].ledger.in_flight() == 0


def test_the_allowance_is_of_each_address_and_of_all_and_is_kept_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    tries = Tries(lambda: now[0])
    for address in range(8):
        tries.take(bytes([address]), A_SECOND)
        with pytest.raises(PutOffError):
            tries.take(bytes([address]), 1)
    with pytest.raises(PutOffError):
        tries.take(b"another", 1)
    now[0] = 0.5
    tries.take(b"another", A_SECOND)
    assert not tries.enough(b"another")
    tries.give_back(b"another", A_SECOND)
    assert tries.enough(b"another")
    monkeypatch.setattr(module, "_KEPT", 4)
    now[0] = 100.0
    for address in range(20):
        tries.take(bytes([address]), 1)
    assert len(tries._left) <= 9, "none is added beyond those that were kept"

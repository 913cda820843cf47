from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.delivery import Batch, Fate, Lane, Ledger, Message
from pipeline.core.errors import Reason
from pipeline.encode.dead_letter import DeadLetters, Refusals
from pipeline.worker.crash_guard import CrashGuard, GuardedStage
from tests.pipeline.flow import ARRIVAL, Memory, headers_of


class Died(BaseException):
    """Stands for the end of the process: nothing catches it, and nothing is cleaned up."""


class Rest:
    """The stages behind the guard; one payload kills them."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.seen: list[bytes] = []

    def put(self, batch: Batch[Message]) -> None:
        for message in batch.items:
            if message.payload == b"killer":
                raise Died
            self.seen.append(message.payload)
            batch.delivery.seal(Fate.PUBLISHED)

    def pending(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None: ...


def life(folder: Path | None, *payloads: bytes, clean: bool = False) -> tuple[Rest, Memory, CrashGuard]:
    memory = Memory()
    rest = Rest(memory)
    guard = CrashGuard(folder)
    refusals = Refusals("city", DeadLetters("bench", "bench.dead-letter.v1"), memory, memory)
    ledger = Ledger()
    lane: Lane[None] = Lane(None, 1000, ledger=ledger)
    messages = [Message("city/aq/1", payload, ARRIVAL) for payload in payloads]
    GuardedStage(guard, rest, refusals).put(Batch(lane.receive(len(messages), None), messages))
    assert ledger.conserved()
    assert ledger.in_flight() == 0
    if clean:
        guard.stopped()
    return rest, memory, guard


def test_the_killer_is_found_and_buried(tmp_path: Path) -> None:
    lives = 0
    while True:
        lives += 1
        assert lives < 10, "an outage without end"
        try:
            rest, memory, _ = life(tmp_path, b"before", b"killer", b"behind")
        except Died:
            continue
        break
    assert lives == 5
    assert rest.seen == [b"before", b"behind"]
    assert memory.reasons == {Reason.CRASH_LOOP: 1}
    assert [headers_of(record)["ce_reason"] for record in memory.records] == ["crash_loop"]
    assert memory.records[0].value == b"killer"


def test_a_clean_stop_forgets_earlier_deaths(tmp_path: Path) -> None:
    for _ in range(5):
        assert not life(tmp_path, b"x", clean=True)[2].careful


def test_deaths_that_no_message_caused_cost_no_message(tmp_path: Path) -> None:
    for _ in range(10):
        rest, memory, _ = life(tmp_path, b"a", b"b")  # killed afterwards, with nothing in hand
        assert rest.seen == [b"a", b"b"]
        assert not memory.records


def test_a_healthy_life_forgets_earlier_deaths(tmp_path: Path) -> None:
    for _ in range(5):
        guard = CrashGuard(tmp_path)
        assert not guard.careful
        guard.settle()


def test_enough_messages_end_the_care(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.worker.crash_guard._HANDLED", 3)
    for _ in range(2):
        CrashGuard(tmp_path)
    _, _, guard = life(tmp_path, b"1", b"2", b"3")
    assert not guard.careful
    assert not CrashGuard(tmp_path).careful


@pytest.mark.parametrize("content", ["", "{", "[]", '{"deaths": 2, "unknown": 1}', "\x00"])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / "crash-guard.json").write_text(content)
    assert not CrashGuard(tmp_path).careful


def test_without_a_folder_there_is_no_guard() -> None:
    assert not life(None, b"x")[2].careful


def test_the_first_start_of_all_makes_its_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state" / "bench"
    CrashGuard(folder)
    assert (folder / "crash-guard.json").exists()
    assert not caplog.records

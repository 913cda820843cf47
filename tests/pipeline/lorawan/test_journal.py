"""What is in the file is what is known, however it is written: whole, in the journal, or partly in both."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lorawan import journal as module
from pipeline.lorawan.frame_counter import REMEMBERED, Counter
from pipeline.lorawan.journal import PAGES, ROWS, Journal, heard
from pipeline.state.store import Store
from tests.pipeline.lorawan.rig import File

KEYS = tuple(f"01ab23c{n}-{n:016x}" for n in range(3))
Step = tuple[str, int, int]
STEPS = st.tuples(
    st.sampled_from(["frame"] * 8 + ["reset", "gone", "acknowledged", "killed"]), *[st.integers(0, 2)] * 2
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 6)
    monkeypatch.setattr(module, "_PAGE", 4)


class Life:
    """Sessions that write each frame whole beside those that write a journal."""

    def __init__(self, file: File, expected: dict[str, bytes]) -> None:
        self.file, self.expected = file, expected
        self.journal = Journal(file)
        self.counters = {key: Counter(key, file.get(ROWS, key)) for key in KEYS}
        assert {key: value for (table, key), value in file.values.items() if table == ROWS} == expected
        assert not dict(file.items(PAGES))

    def step(self, what: str, session: int, skip: int) -> None:
        counter = self.counters[KEYS[session]]
        if what == "frame":
            f_cnt = max(0, (counter.last or 0) + skip)
            counter.accept(f_cnt, b"%04d" % (f_cnt % 10_000))
            self.journal.write([(counter, f_cnt)])
            self.expected[counter.key] = counter.dump()
        elif what == "reset":
            counter.retired = True
            self.counters[counter.key] = Counter(counter.key, None, counter.before or counter)
        elif what == "acknowledged":
            for f_cnt in list(counter.pending):
                counter.written(f_cnt)
        elif what == "gone" and counter.accepted and not counter.retired:
            for f_cnt in list(counter.pending):
                counter.written(f_cnt)
            counter.told = 0
            self.journal.save([counter])
            self.expected[counter.key] = counter.dump()
            self.counters[counter.key] = Counter(counter.key, self.file.get(ROWS, counter.key))


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_the_next_life_knows_what_it_would_know_of_whole_counters(steps: list[Step]) -> None:
    life = Life(File(), {})
    for what, session, skip in steps:
        if what == "killed":
            life = Life(File(life.file.values), life.expected)
        else:
            life.step(what, session, skip)
    Life(File(life.file.values), life.expected)


def frames(count: int) -> Iterator[tuple[str, int, int]]:
    return (("frame", n % 3, 1) for n in range(count))


def test_a_journal_is_bounded_and_sessions_are_seldom_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 60)
    monkeypatch.setattr(module, "_PAGE", 10)
    life = Life(File(), {})
    whole = 0
    for step in frames(3000):
        before = {key: life.file.values.get((ROWS, key)) for key in KEYS}
        life.step(*step)
        whole += sum(life.file.values.get((ROWS, key)) != before[key] for key in KEYS)
        assert len(dict(life.file.items(PAGES))) <= 1 + 60 // 6
    assert 0 < whole < 3000 / 15
    assert len(life.expected[KEYS[0]]) == 1 + 8 * REMEMBERED


def test_a_page_that_could_not_be_deleted_says_nothing() -> None:
    life = Life(File(), {})
    life.step("frame", 0, 1)
    [(name, zombie)] = life.file.items(PAGES)
    for step in frames(30):
        life.step(*step)
    life.file.values[PAGES, name] = zombie
    Life(File(life.file.values), life.expected)


def test_what_is_written_of_a_session_that_was_away_is_never_what_it_was_before() -> None:
    life = Life(File(), {})
    for step in [("frame", 0, 1), ("gone", 0, 0), *[("frame", 1, 1)] * 2, *[("frame", 0, 1)] * 2]:
        life.step(*step)
    for _ in range(12):
        life.step("frame", 1, 1)
        Life(File(life.file.values), dict(life.expected))


def test_pages_that_could_not_be_read_at_start_are_older_than_what_came_since() -> None:
    """As after a start while another worker still held the file: it is written from then on, and was never read."""
    life = Life(File(), {})
    for step in frames(50):
        life.step(*step)
    life = Life(File(life.file.values), life.expected)
    for step in frames(20):
        life.step(*step)
    away, since = life.file.values, Life(File(), {})
    for step in [*frames(3), ("reset", 0, 0), *frames(6)]:
        since.step(*step)
    Life(File({**away, **since.file.values}), {**life.expected, **since.expected})


@pytest.mark.parametrize("name", [None, "p" * 16, "f" * 17])
def test_what_was_damaged_tells_nothing_and_stops_nobody(name: str | None) -> None:
    life = Life(File(), {})
    for step in frames(3):
        life.step(*step)
    [(page, value)] = life.file.items(PAGES)
    life.file.values[PAGES, name or page] = value if name else value[:-1]
    life.file.values[ROWS, KEYS[0]] = b"\0\1"
    file = File(life.file.values)
    Journal(file)
    known = {key: Counter(key, file.get(ROWS, key)).accepted for key in KEYS}
    assert known == {key: life.counters[key].accepted if name else {} for key in KEYS}
    assert not dict(file.items(PAGES))


def test_who_was_heard() -> None:
    life = Life(File(), {})
    for step in [*frames(12), ("frame", 0, 1)]:
        life.step(*step)
    rows = [key for key, _ in life.file.items(ROWS)]
    assert heard(rows, {}) == set(rows)
    assert heard([], {}) == set()
    assert heard(rows, dict(life.file.items(PAGES))) == set(KEYS)


def test_no_session_of_a_large_city_is_forgotten() -> None:
    keeper, sessions = Store(None), 131_072
    whole = bytes(1 + 8 * REMEMBERED)
    for number in range(sessions):
        keeper.put(ROWS, f"{number:08x}-{number:016x}", whole)
    assert sum(1 for _ in keeper.items(ROWS)) == sessions

"""The store: what was written outlives any end of the process, and no file can stop the worker."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import orjson
import pytest

from pipeline.state import store as module
from pipeline.state.store import Store
from tests.support.headrace import ROOT
from tests.support.log import told

FILE = "state.sqlite"
# Each write holds one number in every key; it is said aloud once it is written.
WRITER = """
import asyncio, sys
from pathlib import Path
from pipeline.state.store import Store

async def main():
    store = Store(Path(sys.argv[1]))
    for number in range(10**9):
        for key in range(200):
            store.put("counter", str(key), b"%d" % number)
        await store.write()
        print(number, flush=True)

asyncio.run(main())
"""


def kept(folder: Path | None, table: str = "t") -> dict[str, bytes]:
    """Read as the next life does, and end it in good order."""
    store = Store(folder)
    found = dict(store.items(table))
    asyncio.run(store.close())
    return found


def keep(folder: Path | None, **values: bytes) -> None:
    store = Store(folder)
    for key, value in values.items():
        store.put("t", key, value)
    asyncio.run(store.close())


def test_the_last_value_outlives_the_process(tmp_path: Path) -> None:
    keep(tmp_path, a=b"1", b=b"2", c=b"")
    store = Store(tmp_path)
    assert (store.get("t", "a"), store.get("t", "c"), store.get("t", "z"), store.get("u", "a")) == (
        b"1",
        b"",
        None,
        None,
    )
    store.put("t", "a", b"3")
    store.put("t", "a", b"4")
    store.put("u", "a", b"other table")
    store.delete("t", "b")
    store.delete("t", "never there")
    assert dict(store.items("t")) == {"c": b"", "a": b"4"}
    asyncio.run(store.close())
    assert kept(tmp_path) == {"c": b"", "a": b"4"}
    assert kept(tmp_path, "u") == {"a": b"other table"}


def test_it_writes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITE_SECONDS", 0.01)

    async def live() -> None:
        store = Store(tmp_path)
        written = asyncio.Event()
        write = store.write

        async def observed() -> None:
            await write()
            written.set()

        monkeypatch.setattr(store, "write", observed)
        running = asyncio.create_task(store.run())
        store.put("t", "a", b"1")
        await written.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert store._file is not None
        store._file.close()  # not the store, which would write it now

    asyncio.run(asyncio.wait_for(live(), 30))
    assert kept(tmp_path) == {"a": b"1"}


def test_a_write_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    async def live() -> None:
        store = Store(tmp_path)
        store.put("t", "a", b"1")
        writing = asyncio.create_task(store.write())
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await store.close()

    asyncio.run(live())
    assert kept(tmp_path) == {"a": b"1"}


def test_without_a_folder_it_is_memory() -> None:
    store = Store(None)
    store.put("t", "a", b"1")
    assert store.get("t", "a") == b"1"
    asyncio.run(store.close())
    assert kept(None) == {}


def test_memory_and_file_are_bounded(tmp_path: Path) -> None:
    store = Store(tmp_path, most=3 * 300)
    for key in "abac":
        store.put("t", key * 10, b"x" * 40)
    assert [key[0] for key, _ in store.items("t")] == ["b", "a", "c"]
    store.put("t", "d" * 10, b"x" * 40)
    assert [key[0] for key, _ in store.items("t")] == ["a", "c", "d"]
    store.put("t", "huge", b"x" * 1000)
    assert dict(store.items("t")) == {}
    store.put("t", "e" * 10, b"x" * 40)
    asyncio.run(store.close())
    assert [key[0] for key in kept(tmp_path)] == ["e"]


def test_a_file_that_outgrew_its_bound_is_cut(tmp_path: Path) -> None:
    keep(tmp_path, **{key * 10: b"x" * 40 for key in "abcd"})
    store = Store(tmp_path, most=2 * 300)
    asyncio.run(store.close())
    assert [key[0] for key in kept(tmp_path)] == ["c", "d"]


def test_sigkill_at_any_moment_loses_nothing_written(tmp_path: Path) -> None:
    said = -1
    for round_ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said = int(line)
                if said >= 3 + 17 * round_:
                    break
            process.send_signal(signal.SIGKILL)
            said = max([said, *map(int, process.stdout.read().split())])
        values = set(kept(tmp_path, "counter").values())
        assert len(values) == 1, "a transaction was torn"
        assert int(values.pop()) >= said


@pytest.mark.parametrize("damage", ["text", "head", "middle", "other table", "wrong text"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path, **{f"key {number}": b"x" * 500 for number in range(200)})
    file = tmp_path / FILE
    content = file.read_bytes()
    broken = {
        "text": b"this is no database, but a text that somebody wrote here\n" * 40,
        "head": b"\0" * 50 + content[50:],
        "middle": content[:4096] + b"\xa5" * 8192 + content[12288:],
        "other table": content.replace(b"value BLOB", b"other BLOB"),
        "wrong text": content.replace(b"key 7", b"key \xff"),
    }[damage]
    assert broken != content
    file.write_bytes(broken)

    keep(tmp_path, a=b"1")
    assert kept(tmp_path) == {"a": b"1"}
    assert (tmp_path / "state.damaged").read_bytes() == broken
    assert "The state file is damaged and set aside; what it held is forgotten." in caplog.messages


def test_a_file_that_cannot_be_used_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).mkdir()
    keep(tmp_path, a=b"1")
    assert told(caplog).count("Is a directory") == 1, "said once, though it was tried twice"
    (tmp_path / "file").touch()
    keep(tmp_path / "file" / "below", a=b"1")
    assert kept(tmp_path) == {}
    assert "cannot be used (Is a directory). Set `state_dir` to a folder that we may" in told(caplog)
    assert "cannot be used (Not a directory)" in told(caplog)
    keep(tmp_path / "not there", a=b"1")
    assert kept(tmp_path / "not there") == {"a": b"1"}, "a folder that is missing is made"


def test_a_full_disk_costs_nothing_once_it_has_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def live() -> None:
        store = Store(tmp_path)
        store.put("t", "a", b"1")
        assert store._file is not None
        assert store._file._link is not None
        store._file._link.execute("PRAGMA max_page_count = 8")
        store.put("t", "b", b"2" * 100_000)
        await store.write()
        assert "database or disk is full" in told(caplog)
        assert store.get("t", "b") == b"2" * 100_000
        store.put("t", "c", b"3")
        await store.write()  # opens the file anew, which lifts the limit
        await store.close()

    asyncio.run(live())
    assert "The state file is written again." in caplog.messages
    assert kept(tmp_path) == {"a": b"1", "b": b"2" * 100_000, "c": b"3"}


def test_two_workers_on_one_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()
        second = Store(tmp_path)
        second.put("t", "a", b"1")
        asyncio.run(second.write())
        assert second.get("t", "a") == b"1"
        assert f"Another worker holds {tmp_path / FILE}. Give each worker a `state_dir`" in told(caplog)
        assert first.poll() is None
        first.kill()
    second.put("t", "b", b"2")
    asyncio.run(second.close())
    assert kept(tmp_path) == {"a": b"1", "b": b"2"}, "once the first has gone, the second keeps its own"
    assert len(set(kept(tmp_path, "counter").values())) == 1


def test_who_waits_for_a_value_is_called_when_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITE_SECONDS", 3600.0)

    async def live() -> list[str]:
        store, calls = Store(tmp_path), list[str]()
        store.when_written(lambda: calls.append("nothing to write"))
        assert calls == ["nothing to write"]
        running = asyncio.create_task(store.run())
        written = asyncio.Event()
        store.put("t", "a", b"1")
        store.when_written(lambda: calls.append("a"))
        store.when_written(written.set)
        assert "a" not in calls
        await written.wait()

        store.put("t", "b", b"2")
        writing = asyncio.create_task(store.write())
        await asyncio.sleep(0)
        store.when_written(lambda: calls.append("b"))
        assert "b" not in calls, "it is under way"
        await writing
        await store.write()
        running.cancel()
        assert store._file is not None
        store._file.close()
        return calls

    assert asyncio.run(asyncio.wait_for(live(), 30)) == ["nothing to write", "a", "b"]
    assert kept(tmp_path) == {"a": b"1", "b": b"2"}


def test_nobody_waits_for_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    store, calls = Store(tmp_path), list[str]()
    store.put("t", "a", b"1")
    store.when_written(lambda: calls.append("a"))
    assert calls == ["a"]


def test_a_write_that_fails_lets_go_of_those_who_wait(tmp_path: Path) -> None:
    store, calls = Store(tmp_path), list[str]()
    assert store._file is not None
    store._file.close()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    store.put("t", "a", b"1")
    store.when_written(lambda: calls.append("a"))
    assert calls == []
    asyncio.run(store.write())
    assert calls == ["a"]


def test_who_insists_waits_until_the_file_can_be_written(tmp_path: Path) -> None:
    async def live() -> list[str]:
        (tmp_path / FILE).mkdir()
        store, calls = Store(tmp_path), list[str]()
        assert "Is a directory" in store.trouble
        store.when_written(lambda: calls.append("at once"), insist=True)
        store.put("t", "a", b"1")
        store.when_written(lambda: calls.append("a"), insist=True)
        await store.write()
        assert (calls, store.failures) == ([], 1)
        (tmp_path / FILE).rmdir()
        await store.write()
        assert (calls, store.trouble) == (["at once", "a"], "")
        store.put("t", "b", b"2")
        store.when_written(lambda: calls.append("b"), insist=True)
        await store.close()
        return calls

    assert asyncio.run(live()) == ["at once", "a", "b"]
    assert kept(tmp_path) == {"a": b"1", "b": b"2"}


def test_trouble_ends_though_there_is_nothing_to_write(tmp_path: Path) -> None:
    async def live() -> None:
        (tmp_path / FILE).mkdir()
        store = Store(tmp_path)
        await store.write()
        assert store.trouble
        (tmp_path / FILE).rmdir()
        await store.write()
        assert not store.trouble
        await store.close()

    asyncio.run(live())


@pytest.mark.parametrize("again", [False, True])
def test_a_file_that_is_removed_under_us_is_missed(tmp_path: Path, *, again: bool) -> None:
    """What is written into a file without a name is lost with the process, and no call fails."""

    async def live() -> None:
        store = Store(tmp_path)
        store.put("t", "a", b"1")
        await store.write()
        for name in (FILE, f"{FILE}-wal"):
            (tmp_path / name).unlink()
        if again:
            (tmp_path / FILE).touch()
        store.put("t", "b", b"2")
        await store.write()
        assert store.trouble
        await store.write()
        assert not store.trouble
        assert store._file is not None
        store._file.close()

    asyncio.run(live())
    assert kept(tmp_path) == {"a": b"1", "b": b"2"}


def test_a_value_occupies_what_it_is_counted_with() -> None:
    """Orjson's bytes are as long as they say and occupy its whole buffer, which `most` would not see."""
    store = Store(None)
    tracemalloc.start()
    for number in range(1000):
        store.put("t", str(number), orjson.dumps({"batteryLevel": number}))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1000 * 500


def test_a_shared_table_is_written_whole_and_not_held_twice(tmp_path: Path) -> None:
    """Its owner holds the values: also those of the earlier process, and all go into a file that is made anew."""
    keep(tmp_path, a=b"1", b=b"2")
    store = Store(tmp_path)
    mine: dict[str, bytes] = {}
    mine.update(store.share("t", mine.items))
    assert mine == {"a": b"1", "b": b"2"}
    mine |= {"a": b"3", "c": b"4"}
    store.put("t", "a", b"3")
    store.put("t", "c", b"4")
    del mine["b"]
    store.delete("t", "b")
    assert store.get("t", "a") is None
    assert dict(store.items("t")) == mine
    asyncio.run(store.write())
    (tmp_path / FILE).unlink()
    mine["a"] = b"5"
    store.put("t", "a", b"5")
    asyncio.run(store.write())  # finds that the file is gone
    assert store.failures == 1
    asyncio.run(store.close())
    assert kept(tmp_path) == {"a": b"5", "c": b"4"}

"""Small values that outlive the process: read from memory, written behind.

    store = Store(folder)                  reads the file, once
    store.put("device", key, value)        in memory; the last value wins
    store.when_written(call)               calls back when all that was put is in the file
    store.share("seen", rows)              values that their owner holds: here only until they are written
    await store.run()                      writes what changed, each second, in one transaction and a thread of its own
    await store.close()                    writes the rest

A process that is killed loses what it put in its last second at most: a value must be harmless when it is that much too
old, or else the caller acknowledges its message only `when_written`. Whatever is wrong with the file costs the
memory of earlier lives, never the worker: `trouble` says so while it lasts, and each retry may end it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

from pipeline.core.files import own, own_folder, regular
from pipeline.core.logs import Log

_LOG = Log(__name__)
_WRITE_SECONDS = 1.0
_HURRY_SECONDS = (
    0.02  # while a caller waits: each write is a hop to a thread and back, shared by all that come meanwhile
)
_RETRY_SECONDS = 10.0  # after a failure
_MOST_BYTES = 128 * 1024**2  # LoRaWAN sessions of 131,072 devices: one that is forgotten takes old frames for new
_COMPANIONS = ("-wal", "-shm")
_ROW_BYTES = 250  # of Python's own for an entry

Rows = Callable[[], Iterable[tuple[str, bytes]]]
"""All that an owner of a table has to keep, by key."""
Row = tuple[str, str, bytes | None]
"""Table, key, and the value; None deletes it."""


class Store:
    """Values by table and key, for use on the event loop's thread.

    Nothing here waits for the disk but `close`, and the start, which reads the file.

    Args:
        folder: Where `state.sqlite` is; None keeps all in memory.
        most: Bytes in memory of one table, above which those put longest ago are forgotten.
    """

    def __init__(self, folder: Path | None, most: int = _MOST_BYTES) -> None:
        self._most = most
        self._tables: dict[str, dict[str, bytes]] = {}
        self._sizes: dict[str, int] = {}
        self._shared: dict[str, Rows] = {}
        self._unwritten: dict[tuple[str, str], bytes | None] = {}
        self._waiting: list[Callable[[], None]] = []
        self._insisting: list[Callable[[], None]] = []  # callers that wait through a failure, too
        self.failures = 0
        self._whole = False  # a write failed: the next one holds everything
        self._turn = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._file = None if folder is None else StateFile(folder / "state.sqlite")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        if self._file is not None:
            for table, key, value in self._file.read():
                self._keep(table, key, value)
            self._whole = not self._file.usable

    @property
    def trouble(self) -> str:
        """Why nothing that is put outlives the process now; empty while it does, and where there is no folder."""
        return "" if self._file is None else self._file.trouble

    def get(self, table: str, key: str) -> bytes | None:
        """Return the value, or None."""
        return self._tables.get(table, {}).get(key)

    def items(self, table: str) -> Iterator[tuple[str, bytes]]:
        """Iterate over a table, those put longest ago first; it must not change meanwhile."""
        return iter(self._shared[table]() if table in self._shared else self._tables.get(table, {}).items())

    def share(self, table: str, rows: Rows) -> dict[str, bytes]:
        """Leave a table's values with their owner, which bounds them, so that memory does not hold them twice.

        The owner still puts and deletes each change; `get` knows nothing of them.

        Args:
            table: Its name.
            rows: What gives all of them, for a write after one that failed.

        Returns:
            What was kept before; the owner's `rows` must have these, too, as long as they are valid.
        """
        kept = dict(self.items(table))
        self._tables.pop(table, None)
        self._sizes.pop(table, None)
        self._shared[table] = rows
        return kept

    def put(self, table: str, key: str, value: bytes) -> None:
        """Keep a value in place of the one before."""
        value = bytes(memoryview(value))  # a copy of its own size: the bytes that orjson returns occupy 4 KiB
        self._note(table, key, value)
        if table not in self._shared:
            self._keep(table, key, value)

    def delete(self, table: str, key: str) -> None:
        """Forget a value. One deleted while the file could not be written may be back after a restart."""
        if table in self._shared or self._drop(table, key):
            self._note(table, key, None)

    def when_written(self, call: Callable[[], None], *, insist: bool = False) -> None:
        """Call back once all that was put so far is in the file; at once if it is.

        Args:
            insist: If it cannot be written, wait until it can be, or for ever; else call back then, too.
        """
        if insist and self.trouble:
            self._insisting.append(call)
        elif not self._whole and not (self._unwritten or self._turn.locked()):
            call()
        elif insist:
            self._insisting.append(call)
            self._hurry.set()
        elif self._whole:
            call()
        else:
            self._waiting.append(call)
            self._hurry.set()

    async def run(self) -> None:
        """Write what was put, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _RETRY_SECONDS if self._whole else _WRITE_SECONDS)
                await asyncio.sleep(_HURRY_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was put since the last time; a failure is logged, and all is written the next time."""
        async with self._turn:
            self._hurry.clear()
            rows, waiting, insisting = self._take(), self._waiting, self._insisting
            self._waiting, self._insisting = [], []
            await self._write(rows)
            if self.trouble:
                self._insisting, insisting = [*insisting, *self._insisting], []
        for call in (*waiting, *insisting):
            call()

    async def _write(self, rows: Sequence[Row]) -> None:
        if self._file is None or not (rows or self.trouble):
            return
        try:
            written = await asyncio.get_running_loop().run_in_executor(self._thread, self._file.write, rows)
        except asyncio.CancelledError:
            self._whole = True  # its outcome is never known
            raise
        self._whole = self._whole or not written
        self.failures += not written

    async def close(self) -> None:
        """Write the rest and let go of the file."""
        await self.write()
        if self._file is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    def _keep(self, table: str, key: str, value: bytes) -> None:
        self._drop(table, key)  # so that it becomes the newest
        kept = self._tables.setdefault(table, {})
        kept[key] = value
        self._sizes[table] = self._sizes.get(table, 0) + _size(key, value)
        while self._sizes[table] > self._most:
            self.delete(table, next(iter(kept)))

    def _drop(self, table: str, key: str) -> bool:
        value = self._tables.get(table, {}).pop(key, None)
        if value is not None:
            self._sizes[table] -= _size(key, value)
        return value is not None

    def _note(self, table: str, key: str, value: bytes | None) -> None:
        if self._file is not None and not self._whole:
            self._unwritten[table, key] = value

    def _take(self) -> Sequence[Row]:
        rows: list[Row] = [(*place, value) for place, value in self._unwritten.items()]
        if self._whole:
            tables = (*self._tables, *self._shared)
            rows = [(table, key, bytes(memoryview(value))) for table in tables for key, value in self.items(table)]
        self._unwritten = {}
        self._whole = False
        return rows


class StateFile:
    """The file of a `Store`: SQLite, held by one process at a time; every method blocks, and none raises.

    The write-ahead log is not synced at each transaction (`synchronous=NORMAL`): a killed process loses nothing that
    was written, a machine without power may lose the last transactions, and never the file. As the last second is lost
    anyway, one sync a second would buy nothing, and wear out the flash memory of a gateway.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._link: sqlite3.Connection | None = None
        self._inode = 0
        self.trouble = ""

    @property
    def usable(self) -> bool:
        """Say whether we hold the file."""
        return self._link is not None

    def read(self) -> Iterable[tuple[str, str, bytes]]:
        """Return all rows, those written longest ago first; none, if the file cannot be used."""
        try:
            self._link, rows = self._open()
        except (sqlite3.Error, OSError) as error:
            self._complain(error)
            return []
        return rows

    def write(self, rows: Sequence[Row]) -> bool:
        """Write rows in one transaction, and say whether they are written."""
        try:
            if self._link is None:
                self._link, _ = self._open()
            self._still_there()
            with self._link as link:
                link.executemany("REPLACE INTO kept VALUES (?, ?, ?)", [row for row in rows if row[2] is not None])
                gone = [row[:2] for row in rows if row[2] is None]
                link.executemany("DELETE FROM kept WHERE place = ? AND key = ?", gone)
        except (sqlite3.Error, OSError) as error:
            self.close()  # to be opened anew, or set aside, the next time
            self._complain(error)
            return False
        if self.trouble:
            _LOG.info("The state file is written again.", file=self._file)
            self.trouble = ""
        return True

    def _still_there(self) -> None:
        """Raise OSError if the file was removed or replaced: what we write then goes nowhere, without an error."""
        if self._file.stat().st_ino != self._inode:
            raise OSError(0, "it was replaced while we held it")

    def close(self) -> None:
        """Let go of the file."""
        if self._link is not None:
            with suppress(sqlite3.Error):
                self._link.close()
            self._link = None

    def _open(self) -> tuple[sqlite3.Connection, list[tuple[str, str, bytes]]]:
        opened = self._sound()
        self._inode = self._file.stat().st_ino
        return opened

    def _sound(self) -> tuple[sqlite3.Connection, list[tuple[str, str, bytes]]]:
        try:
            return _opened(self._file)
        except sqlite3.Error as error:
            if not _damaged(error):
                raise
            aside = self._file.with_suffix(".damaged")
            self._file.replace(aside)
            for companion in _COMPANIONS:
                self._file.with_name(self._file.name + companion).unlink(missing_ok=True)
            _LOG.warning(
                "The state file is damaged and set aside; what it held is forgotten.", file=self._file, aside=aside
            )
            return _opened(self._file)

    def _complain(self, error: sqlite3.Error | OSError) -> None:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        said = f"{self._file} cannot be used ({cause}). Set `state_dir` to a folder that we may write to."
        if _code(error) == sqlite3.SQLITE_BUSY:
            said = f"Another worker holds {self._file}. Give each worker a `state_dir` of its own."
        if said != self.trouble:
            _LOG.warning("What is learned of devices is forgotten at a restart.", problem=said)
            self.trouble = said


def peek(folder: Path, table: str) -> dict[str, bytes] | None:
    """Return a table, without changing anything; None while a worker holds the file, or without one."""
    file = folder / "state.sqlite"
    try:
        regular(file)
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as link:
            return dict(link.execute("SELECT key, value FROM kept WHERE place = ?", (table,)))
    except (sqlite3.Error, OSError):
        return None


def _opened(file: Path) -> tuple[sqlite3.Connection, list[tuple[str, str, bytes]]]:
    own_folder(file.parent)
    os.close(own(file))
    for companion in _COMPANIONS:  # SQLite gives them the file's permissions, and would wait for a pipe
        beside = file.with_name(file.name + companion)
        if beside.exists():
            os.close(own(beside))
    link = sqlite3.connect(file, timeout=0, check_same_thread=False)
    try:
        link.execute("PRAGMA locking_mode = EXCLUSIVE")  # the kernel lets go of it for us, however we die
        link.execute("PRAGMA journal_mode = WAL")
        link.execute("PRAGMA synchronous = NORMAL")
        with link:
            link.execute("BEGIN IMMEDIATE")
            link.execute(
                "CREATE TABLE IF NOT EXISTS kept (place TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
                " PRIMARY KEY (place, key))"
            )
        _check(link)
        # REPLACE gives a row a new rowid, so these are in the order of their last write.
        return link, link.execute("SELECT place, key, value FROM kept ORDER BY rowid").fetchall()
    except BaseException:
        link.close()
        raise


def _check(link: sqlite3.Connection) -> None:
    with closing(link.execute("PRAGMA quick_check(1)")) as checked:
        [(verdict,)] = checked
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _damaged(error: sqlite3.Error) -> bool:
    return _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def _code(error: Exception) -> int:
    """Return SQLite's primary result code; an error of Python's own about a row has none, and the row is wrong."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _ROW_BYTES

"""What sessions remember of their frames, in the file: whole now and then, and a few bytes for each frame in between.

A session remembers 64 frames, which is half a kilobyte. To write that for each of its frames would be the dearest
part of the frame, and wear out the flash memory of a gateway. So it stands in a row of its own (ROWS), and what was
accepted since stands in the pages of a journal (PAGES), some twenty bytes a frame. When there are many pages the oldest
goes, and the sessions of which it told are written whole. A new life begins with rows only.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import time_ns
from typing import Protocol

from pipeline.lorawan.frame_counter import Counter

ROWS = "lorawan"
PAGES = "lorawan-journal"

_MOST = 65_536  # frames in all pages: a session that sends more often is written whole less often than it sends
_PAGE = 190  # frames, from which on another page begins: what changes a row writes its whole page of 4 KiB
_HEAD = struct.Struct("<Q")  # the oldest page: one below it that is in the file could not be deleted
_ENTRY = struct.Struct("<12sB8s")  # session, how many of its frames were perhaps not acknowledged, and the frame
_WHOLE = 0xFF  # instead of how many: all of the session so far is in its row
_NO_FRAME = bytes(8)
_FOR_EVER = 1 << 64
_NAME = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Keeper(Protocol):
    """What outlives the process: pipeline/state/store.py."""

    def get(self, table: str, key: str) -> bytes | None:
        """Return the value, or None."""

    def items(self, table: str) -> Iterator[tuple[str, bytes]]:
        """Iterate over a table."""

    def put(self, table: str, key: str, value: bytes) -> None:
        """Keep a value in place of the one before; all that is put at one time is written at one time."""

    def delete(self, table: str, key: str) -> None:
        """Forget a value."""


@dataclass(slots=True)
class _Page:
    """counters: of the frames in it, in order. first, end: how many frames were in the journal before and after it."""

    number: int
    first: int
    end: int
    counters: list[Counter] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)


class Journal:
    """Keeps the counters of confirmed frames."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._pages: deque[_Page] = deque()
        self._frames = 0
        # The clock: pages that could not be read now, but can be next time, are older than those of this life.
        self._next = max(_fold(keeper), time_ns())

    def write(self, frames: Iterable[tuple[Counter, int]]) -> None:
        """Keep the counters of frames that are confirmed now."""
        page = self._page()
        entries, counters, pack = page.entries, page.counters, _ENTRY.pack
        for counter, f_cnt in frames:
            entry = counter.confirm(f_cnt)
            if counter.retired:
                continue
            if counter.before is not None:
                self._begin(counter, counter.before, page)
            entries.append(pack(counter.place, counter.told, entry))
            counters.append(counter)
        page.end = self._frames = page.first + len(counters)
        while self._frames - self._pages[0].first > _MOST and len(self._pages) > 1:
            self._let_go(self._pages.popleft())
        self._put(page)

    def save(self, counters: Sequence[Counter]) -> None:
        """Keep all of sessions in their rows. Nobody counts with these any more: who comes back has another counter."""
        if counters:
            page = self._page()
            for counter in counters:
                self._whole(counter, page)
                counter.saved = _FOR_EVER
            self._put(page)

    def _page(self) -> _Page:
        """Return the page that is written to."""
        if not self._pages or len(self._pages[-1].entries) >= _PAGE:
            if self._pages:
                self._pages[-1].entries = []  # it is in the file, and does not change
            self._pages.append(_Page(self._next, self._frames, self._frames))
            self._next += 1
        return self._pages[-1]

    def _put(self, page: _Page) -> None:
        if page.entries:
            value = _HEAD.pack(self._pages[0].number) + b"".join(page.entries)
            self._keeper.put(PAGES, _name(page.number), value)

    def _let_go(self, page: _Page) -> None:
        for counter in page.counters:
            if counter.saved < page.end:
                self._whole(counter, self._pages[-1])
        self._keeper.delete(PAGES, _name(page.number))

    def _whole(self, counter: Counter, page: _Page) -> None:
        self._keeper.put(ROWS, counter.key, counter.dump())
        page.entries.append(_ENTRY.pack(counter.place, _WHOLE, _NO_FRAME))
        counter.saved = self._frames

    def _begin(self, counter: Counter, before: Counter, page: _Page) -> None:
        """Forget the counter in whose place another came, now that the other has a frame."""
        self._keeper.put(ROWS, counter.key, b"\0")
        page.entries.append(_ENTRY.pack(counter.place, _WHOLE, _NO_FRAME))
        before.saved = _FOR_EVER
        counter.before = None


def heard(rows: Iterable[str], pages: Mapping[str, bytes]) -> frozenset[str]:
    """Return the keys of the sessions of which any frame was accepted, in this life or an earlier one."""
    return frozenset(rows) | _since(pages).keys()


def _fold(keeper: Keeper) -> int:
    """Put what the journal says into the rows, and return the number of the next page."""
    pages = dict(keeper.items(PAGES))
    for key, frames in _since(pages).items():
        counter = Counter(key, keeper.get(ROWS, key))
        for told, entry in frames:
            counter.remember(int.from_bytes(entry[:4], "little"), entry)
            counter.told = told
        keeper.put(ROWS, key, counter.dump())
    for name in pages:
        keeper.delete(PAGES, name)
    return max((int(name, 16) + 1 for name in pages if _NAME.fullmatch(name)), default=0)


def _since(pages: Mapping[str, bytes]) -> dict[str, list[tuple[int, bytes]]]:
    """Return the frames of each session that its row does not hold, in order."""
    found: dict[bytes, list[tuple[int, bytes]]] = {}
    for page in _live(pages):
        for place, told, entry in _ENTRY.iter_unpack(page[_HEAD.size :]):
            if told == _WHOLE:
                found.pop(place, None)
            else:
                found.setdefault(place, []).append((told, entry))
    return {f"{place[:4].hex()}-{place[4:].hex()}": frames for place, frames in found.items()}


def _live(pages: Mapping[str, bytes]) -> list[bytes]:
    """Return the pages that count, in order; what was damaged is none."""
    sound = (name for name, page in pages.items() if _NAME.fullmatch(name) and len(page) % _ENTRY.size == _HEAD.size)
    names = sorted(sound)
    oldest = _name(*_HEAD.unpack_from(pages[names[-1]])) if names else ""
    return [pages[name] for name in names if name >= oldest]


def _name(number: int) -> str:
    return f"{number:016x}"

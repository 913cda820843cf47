"""Which dead letters have been replayed: ranges of offsets in a small file that outlives the process."""

from __future__ import annotations

import fcntl
import json
import os
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from pipeline.core.errors import StartError
from pipeline.core.files import document, own, own_folder, replace


class Offsets:
    """A set of offsets as sorted ranges: what was replayed in order takes one, however much it is."""

    def __init__(self, ranges: list[list[int]] | None = None) -> None:
        self.ranges = ranges or []

    def __contains__(self, offset: int) -> bool:
        at = bisect_right(self.ranges, [offset, 2**63]) - 1
        return at >= 0 and offset <= self.ranges[at][1]

    def add(self, offset: int) -> None:
        """Add one."""
        if offset in self:
            return
        at = bisect_right(self.ranges, [offset, 2**63])
        before = at > 0 and self.ranges[at - 1][1] == offset - 1
        after = at < len(self.ranges) and self.ranges[at][0] == offset + 1
        if before and after:
            self.ranges[at - 1][1] = self.ranges.pop(at)[1]
        elif before:
            self.ranges[at - 1][1] = offset
        elif after:
            self.ranges[at][0] = offset
        else:
            self.ranges.insert(at, [offset, offset])

    def clip(self, begin: int, end: int) -> None:
        """Forget what Kafka no longer has; everything, if it has never had so much: the topic was made anew."""
        if self.ranges and self.ranges[-1][1] >= end:
            self.ranges.clear()
        self.ranges = [[max(first, begin), last] for first, last in self.ranges if last >= begin]


class Replayed:
    """The file of one dead-letter topic, held by one process at a time."""

    def __init__(self, folder: Path, topic: str) -> None:
        self._file = folder / f"{topic}.replayed.json"
        self._partitions: dict[int, Offsets] = {}
        self._lock: IO[bytes] | None = None
        self._changed = False

    def open(self, begins: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Read the file and hold it.

        Raises:
            StartError: the file cannot be used, or another replay holds it.
        """
        try:
            self._load()
        except BlockingIOError:
            self.close()
            raise StartError(f"Another replay holds {self._file}. Wait until it has ended.") from None
        except OSError as problem:
            self.close()
            said = f"{self._file} cannot be used: {problem.strerror}."
            raise StartError(f"{said} Set `state_dir` to a folder that we may write to.") from None
        except (ValueError, AttributeError, TypeError):
            self.close()
            said = f"{self._file} is no list of replayed offsets."
            raise StartError(f"{said} Remove it, if all dead letters may be replayed again.") from None
        for number in ends:
            self._partitions.setdefault(number, Offsets()).clip(begins[number], ends[number])

    def __contains__(self, place: tuple[int, int]) -> bool:
        partition, offset = place
        return offset in self._partitions.get(partition, Offsets())

    def add(self, partition: int, offset: int) -> None:
        """Take note that the dead letter at this place is done."""
        self._partitions.setdefault(partition, Offsets()).add(offset)
        self._changed = True

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            StartError: it cannot be written.
        """
        if not self._changed:
            return
        content = {str(number): each.ranges for number, each in sorted(self._partitions.items()) if each.ranges}
        try:
            replace(self._file, json.dumps(content, separators=(",", ":")), sync=True)
        except OSError as problem:
            said = f"{self._file} cannot be written: {problem.strerror}."
            raise StartError(f"{said} A later replay would publish the same again.") from None
        self._changed = False

    def close(self) -> None:
        """Let go of the file."""
        if self._lock is not None:
            self._lock.close()

    def _load(self) -> None:
        own_folder(self._file.parent)
        self._lock = os.fdopen(own(self._file.with_suffix(".lock")), "r+b")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = document(self._file) if self._file.exists() else {}
        self._partitions = {int(number): Offsets(ranges) for number, ranges in content.items()}

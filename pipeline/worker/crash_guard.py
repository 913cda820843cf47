"""Finds the message that kills the process, so that at-least-once does not become an outage without end.

A message that crashes the process (a fault in native code, memory eaten up) is not acknowledged, so it comes again
after each restart. Two lives in a row that ended without a clean stop make the third one careful: each message is noted
in a small file before it is handled. The note outlives the process; a message that stands there after two deaths is the
killer and becomes a dead letter. After enough messages without a death the guard steps aside and costs nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from pipeline.core.delivery import Batch, Message, PassThrough, Stage
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.files import document, own, own_folder
from pipeline.core.logs import Log
from pipeline.encode.dead_letter import Refusals

_LOG = Log(__name__)
_DEATHS = 2
_HANDLED = 20_000  # more than any window that is configured by default: the killer would have come again


@dataclass(slots=True)
class _Memory:
    """What one life leaves to the next: how many died before it, and which message each suspect death had in hand."""

    deaths: int = 0
    in_hand: str = ""
    suspects: dict[str, int] | None = None


class CrashGuard:
    """The memory of how earlier lives ended; one for each process.

    Attributes:
        folder: Where it is kept; None: nothing is remembered, and there is no guard.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / "crash-guard.json"
        self._descriptor: int | None = None
        self._written = 0
        self._memory = self._recall()
        self._suspects: dict[str, int] = self._memory.suspects or {}
        self._handled = 0
        if self._memory.in_hand:
            self._suspects[self._memory.in_hand] = self._suspects.get(self._memory.in_hand, 0) + 1
        self.careful = self._memory.deaths >= _DEATHS
        if self.careful:
            _LOG.warning(
                "The last lives ended without a clean stop: messages are taken one by one.", lives=self._memory.deaths
            )
        self._save(deaths=self._memory.deaths + 1)

    def _recall(self) -> _Memory:
        try:
            return _Memory() if self._file is None else _Memory(**document(self._file))
        except (OSError, ValueError, TypeError):
            return _Memory()

    def stopped(self) -> None:
        """Note a clean stop."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._file = self._descriptor = None

    def settle(self) -> None:
        """Note that this life is a healthy one: earlier deaths count no more."""
        if not self.careful:
            self._save(deaths=0)

    def is_killer(self, name: str) -> bool:
        """Say whether two lives died with this message in hand."""
        return self._suspects.get(name, 0) >= _DEATHS

    def take(self, name: str) -> None:
        """Note the message that is handled next."""
        self._handled += 1
        if self._handled >= _HANDLED:
            self.careful = False
            self._suspects = {}
            self.settle()
        else:
            self._save(deaths=self._memory.deaths + 1, in_hand=name)

    def put_down(self) -> None:
        """Note that it was handled."""
        if self.careful:
            self._save(deaths=self._memory.deaths + 1)

    def _save(self, *, deaths: int, in_hand: str = "") -> None:
        if self._file is None:
            return
        text = json.dumps({"deaths": deaths, "in_hand": in_hand, "suspects": self._suspects}).encode()
        try:
            if self._descriptor is None:
                own_folder(self._file.parent)  # the first start of all: nothing else has made it yet
                self._descriptor = own(self._file)
                self._written = os.fstat(self._descriptor).st_size
            # In place, with blanks over a longer text before: a file that is truncated and written anew goes to the
            # disk each time (ext4), which cost half a millisecond a message. Not synced: the page cache outlives the
            # process, and a machine that died is not the message's fault.
            os.pwrite(self._descriptor, text.ljust(self._written), 0)
            self._written = len(text)
        except OSError as error:
            _LOG.warning("The crash guard cannot write its file.", file=self._file, error=error.strerror)
            self._file = None


class GuardedStage(PassThrough[Message]):
    """The stage before the others of a feed while the guard is careful."""

    def __init__(self, guard: CrashGuard, out: Stage[Message], refusals: Refusals) -> None:
        self._guard = guard
        self._out = out
        self._refusals = refusals

    def put(self, batch: Batch[Message]) -> None:
        """Pass messages on one by one, each noted; a killer becomes a dead letter."""
        if not self._guard.careful:
            self._out.put(batch)
            return
        for message in batch.items:
            name = blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=16).hexdigest()
            if self._guard.is_killer(name):
                self._refusals.refuse(batch.delivery, message, _killer(), "feed")
                continue
            self._guard.take(name)
            self._out.put(Batch(batch.delivery, [message]))
            self._guard.put_down()


def _killer() -> PayloadError:
    return PayloadError("Two processes died while they handled this message.", Reason.CRASH_LOOP)

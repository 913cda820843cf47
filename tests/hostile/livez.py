"""How long a worker's /livez takes to answer, and how much memory it has, while it is attacked."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from tests.support.headrace import Headrace
from tests.support.prometheus import get

_EVERY = 0.1


def resident(worker: Headrace) -> int:
    """Return the most MiB that the worker's process has had, as the kernel counts them."""
    with open(f"/proc/{worker.process.pid}/status", encoding="utf-8") as status:  # noqa: PTH123
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


class Livez:
    """Asks while its `with` block runs. answers: how long each answer took, in seconds."""

    def __init__(self, worker: Headrace, timeout: float = 30.0) -> None:
        self.answers: list[float] = []
        self.silent = 0  # questions without an answer in time
        self._worker, self._timeout = worker, timeout
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    @property
    def worst(self) -> float:
        return round(max(self.answers, default=float("inf")), 3)

    def _ask(self) -> None:
        while not self._done.wait(_EVERY):
            began = time.monotonic()
            if get(f"{self._worker.admin}/livez", timeout=self._timeout) is not None:
                self.answers.append(time.monotonic() - began)
            elif self.answers:  # before the first answer the worker is starting
                self.silent += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

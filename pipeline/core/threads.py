"""Work in threads that the end of the process never waits for: a vendor's code, and what the network may hold up.

asyncio joins the threads of `asyncio.to_thread` and of its own name lookups before the process ends, however long they
take. These here are daemon threads: what still runs in one ends with the process.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from pipeline.core.errors import HeadraceError

T = TypeVar("T")


class StuckError(HeadraceError):
    """The work takes too long; the text says where it is, as `file:line`."""


async def run_detached(work: Callable[[], T], late: Callable[[T], None] | None = None) -> T:
    """Return what the work returns, or raise what it raises.

    Args:
        work: Runs in a thread of its own.
        late: Gets the result if nothing waits for it any more.
    """
    outcome, _ = _begin(work, late)
    return await outcome


async def apart(work: Callable[[], T], patience: float) -> T:
    """Return what a vendor's code returns, if it does so within `patience` seconds.

    Raises:
        StuckError: it takes longer; it goes on, and its result is dropped.
        HeadraceError: it wants the process to end (SystemExit, KeyboardInterrupt), which is not for it to say.
    """

    def confined() -> T:
        try:
            return work()
        except Exception:
            raise
        except BaseException as problem:
            raise HeadraceError(f"A connector wants to end the process: {type(problem).__name__}.") from problem

    outcome, thread = _begin(confined)
    try:
        return await asyncio.wait_for(outcome, patience)
    except TimeoutError:
        raise StuckError(_place(thread)) from None


def _begin(
    work: Callable[[], T], late: Callable[[T], None] | None = None
) -> tuple[asyncio.Future[T], threading.Thread]:
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, problem: BaseException | None) -> None:
        if outcome.cancelled():
            if problem is None and late is not None:
                late(result)  # type: ignore[arg-type]
        elif problem is None:
            outcome.set_result(result)  # type: ignore[arg-type]
        else:
            outcome.set_exception(problem)

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - the caller gets it
            problem = raised
        try:
            loop.call_soon_threadsafe(settle, result, problem)
        except RuntimeError:  # the loop is closed
            if problem is None and late is not None:
                late(result)  # type: ignore[arg-type]

    thread = threading.Thread(target=run, name="apart", daemon=True)
    thread.start()
    return outcome, thread


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no other way to ask
    return "its end" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"

"""Work in a thread of its own that nobody has to wait for: it runs a vendor's code, or reads what may never end."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from pipeline.errors import HeadraceError

T = TypeVar("T")


class StuckError(HeadraceError):
    """The work takes too long; the text says where it is, as `file:line`."""


async def apart(work: Callable[[], T], patience: float) -> T:
    """Return what the work returns. patience: seconds; after them it goes on, in a thread that ends with the process.

    A thread of asyncio's own would be waited for at the end of the process, which then has no end.

    Raises:
        StuckError: it takes longer.
        HeadraceError: it wants the process to end (SystemExit, KeyboardInterrupt), which is not for it to say.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, problem: BaseException | None) -> None:
        if not done.done():
            done.set_result(result) if problem is None else done.set_exception(problem)  # type: ignore[arg-type]

    def run() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = work(), None
        except Exception as problem:  # noqa: BLE001 - the caller gets it
            outcome = None, problem
        except BaseException as problem:  # noqa: BLE001
            outcome = None, HeadraceError(f"A connector wants to end the process: {type(problem).__name__}.")
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, *outcome)

    thread = threading.Thread(target=run, name="apart", daemon=True)
    thread.start()
    try:
        return await asyncio.wait_for(done, patience)
    except TimeoutError:
        raise StuckError(_place(thread)) from None


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no other way to ask
    return "its end" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"

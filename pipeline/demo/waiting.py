"""Waiting for what other processes do, which nobody announces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

_LOOKS: Final = 0.03


async def until(done: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Look until it is done, or the time is over; return whether it is done."""
    deadline = monotonic() + seconds
    while True:
        if await done():
            return True
        if monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOKS)


async def until_true(done: Callable[[], bool], seconds: float) -> bool:
    """Do the same with a question that needs no waiting."""

    async def ask() -> bool:
        return done()

    return await until(ask, seconds)

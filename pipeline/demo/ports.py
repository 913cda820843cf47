"""Free ports on the loopback interface."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_RANGE: Final = range(20_000, 32_000)  # below the range from which the kernel gives clients their own port


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; chosen by chance, so that two demos at once hardly meet."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(_RANGE)  # noqa: S311 - no secret
        if port not in ports and _can_bind(port):
            ports.append(port)
    return ports


async def listens(port: int) -> bool:
    """Say whether somebody accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True

"""Somebody who listens and answers as a test wants it: what no real part does."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.ports import LOOPBACK


@contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Answer each connection so, in a thread of its own, and give the port."""
    with socket.create_server((LOOPBACK, 0)) as server:
        over = threading.Event()

        def one(peer: socket.socket) -> None:
            with peer, suppress(OSError):
                peer.recv(4096)
                answer(peer)

        def serve() -> None:
            with suppress(OSError):
                while not over.is_set():
                    threading.Thread(target=one, args=[server.accept()[0]], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        over.set()
        server.shutdown(socket.SHUT_RDWR)

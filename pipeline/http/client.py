"""Asks what listens at the address of the admin server: bounded in time and bytes, for it need not be a worker."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer

_SEEN_FROM_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens


class NoAnswerError(OSError):
    """Nobody answers, not in time, or not in HTTP; the text says which, in one word."""


def get(
    host: str, port: int, path: str, *, token: str | None = None, patience: float = 5.0, largest: int = 16 * 1024**2
) -> tuple[int, bytes]:
    """Return status and body of a GET. patience: seconds for all of it. largest: bytes of the body.

    Raises:
        NoAnswerError: no such answer came.
    """
    connection = http.client.HTTPConnection(_SEEN_FROM_HERE.get(host, host), port, timeout=patience)
    try:
        connection.connect()
        with _ended_after(patience, connection.sock):
            connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            body = answer.read(largest + 1)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise NoAnswerError(type(problem).__name__) from problem
    finally:
        connection.close()
    if len(body) > largest:
        raise NoAnswerError("TooLong")
    return answer.status, body


@contextmanager
def _ended_after(patience: float, connected: socket.socket) -> Iterator[None]:
    """Let nobody hold us who sends a byte a second: a socket's own timeout counts from one byte to the next."""
    late: list[bool] = []

    def end() -> None:
        late.append(True)
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = Timer(patience, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late:
            raise TimeoutError

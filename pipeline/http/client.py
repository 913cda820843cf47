"""Asks what listens at the address of the admin server: bounded in time and bytes, for it need not be a worker."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any, NoReturn

from pipeline.core.errors import StartError

_SEEN_FROM_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens


class NoAnswerError(OSError):
    """No answer came in time, or none in HTTP; the text says which, in one word."""


def get(
    host: str, port: int, path: str, *, token: str | None = None, patience: float = 5.0, largest: int = 16 * 1024**2
) -> tuple[int, bytes]:
    """Return status and body of a GET.

    Args:
        patience: Seconds for all of it.
        largest: Bytes of the body.

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
    """End a request by one deadline: a socket's own timeout starts anew with each byte that comes."""
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


_CLOSED, _FOUND = 401, 200
_MEMBERS = {"time", "version", "tenant", "feeds", "fates"}


def fetch_snapshot(host: str, port: int, token: str | None) -> dict[str, Any]:
    """Return the snapshot of now.

    Raises:
        StartError: no worker answers there, or it does not take the token.
    """
    try:
        status, body = get(host, port, "/snapshot.json", token=token)
    except NoAnswerError as problem:
        said = f"No worker answers on {host}:{port} (`admin.listen`): {problem}."
        raise StartError(f"{said} Start it by `headrace run`, on this machine.") from problem
    if status == _CLOSED:
        raise StartError(f"The worker on {host}:{port} does not take the token of `admin.token_file`.")
    if status != _FOUND:
        raise no_worker(host, port, f"HTTP {status}")
    try:
        found = json.loads(body, parse_constant=_no_json)
    except (ValueError, RecursionError) as problem:
        raise no_worker(host, port, "no JSON") from problem
    if not isinstance(found, dict) or not found.keys() >= _MEMBERS:
        raise no_worker(host, port, "no snapshot")
    return found


def no_worker(host: str, port: int, why: str) -> StartError:
    """Return the error for an answer that no worker of ours gave.

    Args:
        why: A few words.
    """
    return StartError(f"What listens on {host}:{port} is no worker of this version ({why}).")


def _no_json(constant: str) -> NoReturn:
    """Refuse what Python takes for a number, and JSON (RFC 8259, section 6) does not."""
    raise ValueError(constant)

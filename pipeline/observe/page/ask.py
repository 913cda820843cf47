"""Asks a running worker for its snapshot."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pipeline.core.errors import StartError
from pipeline.http import client as local_http
from pipeline.http.client import NoAnswerError

_CLOSED, _FOUND = 401, 200
_MEMBERS = {"time", "version", "tenant", "feeds", "fates"}


def ask(host: str, port: int, token: str | None) -> dict[str, Any]:
    """Return the snapshot of now.

    Raises:
        StartError: no worker answers there, or it does not take the token.
    """
    try:
        status, body = local_http.get(host, port, "/snapshot.json", token=token)
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
    """Return what is to be raised when somebody else answers. why: a few words."""
    return StartError(f"What listens on {host}:{port} is no worker of this version ({why}).")


def _no_json(constant: str) -> NoReturn:
    """Refuse what Python takes for a number, and JSON (RFC 8259, section 6) does not."""
    raise ValueError(constant)

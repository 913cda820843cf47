"""Asks a running worker for its snapshot."""

from __future__ import annotations

import http.client
import json
from typing import Any

from pipeline.errors import StartError

_PATIENCE = 5.0  # seconds
_CLOSED, _FOUND = 401, 200


def ask(host: str, port: int, token: str | None) -> dict[str, Any]:
    """Return the snapshot of now.

    Raises:
        StartError: no worker answers there, or it does not take the token.
    """
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where it listens, seen from here
    connection = http.client.HTTPConnection(here, port, timeout=_PATIENCE)
    try:
        connection.request(
            "GET", "/snapshot.json", headers={} if token is None else {"Authorization": f"Bearer {token}"}
        )
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == _CLOSED:
            raise StartError(f"The worker on {host}:{port} does not take the token of `admin.token_file`.")
        if answer.status != _FOUND:
            raise StartError(f"What listens on {host}:{port} is no worker of this version (HTTP {answer.status}).")
        found: dict[str, Any] = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        said = f"No worker answers on {host}:{port} (`admin.listen`): {type(problem).__name__}."
        raise StartError(f"{said} Start it by `headrace run`, on this machine.") from problem
    finally:
        connection.close()
    return found

"""Files that anybody may have put there: read within bounds, so that a pipe, a device or nonsense stops nobody."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.times import EARLIEST, LATEST

Moment = Annotated[int, Field(ge=EARLIEST, le=LATEST)]
"""A time that a file tells, in milliseconds since 1970 UTC; none that no calendar has."""
_STATE = 64 * 1024**2  # bytes; what a worker notes for itself is a fraction of that


def content(file: str | Path, largest: int = _STATE) -> bytes:
    """Return what a file holds. largest: bytes.

    Raises OSError, with a `strerror`: the file cannot be read, is no regular file (a pipe would keep us waiting), or is
    larger.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no regular file")
        if found.st_size > largest:
            raise OSError(0, f"it is larger than {largest} bytes")
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read(largest)
    finally:
        os.close(descriptor)


def document(file: Path) -> Any:  # noqa: ANN401 - a file holds anything
    """Return what a file of JSON holds.

    Raises OSError as `content` does, and ValueError: that is no JSON (RFC 8259), or nested too deep.
    """
    try:
        return json.loads(content(file))
    except RecursionError as problem:
        raise ValueError("nested too deep") from problem

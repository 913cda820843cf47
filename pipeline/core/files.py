"""Files of others, read within bounds, and files of our own, for us alone.

A pipe in a file's place would keep the opener waiting, `/dev/zero` has no end, and a large file fills the memory: all
three are refused with a sentence. What a worker keeps is readable by its own user only, whatever the umask says, and a
file is replaced as a whole or not at all.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter

from pipeline.core.times import EARLIEST, LATEST

T = TypeVar("T")

Moment = Annotated[int, Field(ge=EARLIEST, le=LATEST)]
"""A time that a file tells, in milliseconds since 1970 UTC; none that no calendar has."""
HANDMADE = 4 * 1024**2
"""Bytes; a certificate bundle, a token or a connector that a person or a tool wrote is a fraction of that."""
_STATE = 64 * 1024**2  # bytes; what a worker notes for itself is a fraction of that
_OURS = 0o600
_OUR_FOLDER = 0o700
_OTHERS = 0o077


def content(file: str | Path, largest: int = _STATE) -> bytes:
    """Return what a file holds. largest: bytes.

    Raises OSError, with a `strerror`: the file cannot be read, is no regular file (a pipe would keep us waiting), or is
    larger.
    """
    return content_and_mode(file, largest)[0]


def content_and_mode(file: str | Path, largest: int) -> tuple[bytes, int]:
    """Return what a file holds, and its permissions (`0o640`); raises as `content` does."""
    with os.fdopen(_opened(file, os.O_RDONLY), "rb") as opened:
        found = os.fstat(opened.fileno())
        if found.st_size > largest:
            raise OSError(0, f"it is larger than {_size(largest)}")
        return opened.read(largest), stat.S_IMODE(found.st_mode)


def regular(file: str | Path) -> None:
    """Return if a library may open a file by its name.

    Raises OSError, with a `strerror`: the file is not there, or is no regular file.
    """
    mode = Path(file).stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(0, _irregular(mode))


def own(file: Path) -> int:
    """Open a file of our own to write to, made if it is not there; return its descriptor.

    Raises OSError, with a `strerror`: the file cannot be written, or is no regular file.
    """
    descriptor = _opened(file, os.O_RDWR | os.O_CREAT)
    with suppress(OSError):  # another user's, for which the operator lets us write
        os.fchmod(descriptor, _OURS)
    return descriptor


def own_folder(folder: Path) -> None:
    """Make a folder of our own, with those above it; one that is there is closed to others.

    Raises:
        OSError: the folder cannot be made, or something else has its name.
    """
    folder.mkdir(mode=_OUR_FOLDER, parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & ~_OUR_FOLDER & _OTHERS and not mode & stat.S_ISVTX:  # a folder like /tmp is shared by design
        with suppress(OSError):  # another user's, as a volume of Kubernetes is
            folder.chmod(stat.S_IMODE(mode) & ~_OTHERS)


def replace(file: Path, text: str, *, sync: bool = False) -> None:
    """Write a file of our own in place of the one before, whole or not at all.

    sync: wait until the disk has it, so that it outlives a power cut too.

    Raises:
        OSError: the file cannot be written; the one before is as it was.
    """
    own_folder(file.parent)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OURS), "wb") as opened:
        opened.write(text.encode())
        if sync:
            opened.flush()
            os.fsync(opened.fileno())
    fresh.replace(file)


def _opened(file: str | Path, flags: int) -> int:
    descriptor = os.open(file, flags | os.O_NONBLOCK | os.O_CLOEXEC, _OURS)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(0, _irregular(mode))
    return descriptor


def _irregular(mode: int) -> str:
    return "it is a folder; expected a file" if stat.S_ISDIR(mode) else "it is no regular file"


def _size(number: int) -> str:
    return f"{number // 1024**2} MiB" if number >= 1024**2 else f"{number} bytes"


def rows(file: Path, form: TypeAdapter[list[T]]) -> list[T]:
    """Return the rows that a worker has noted in a file of its state folder; none where there is no usable file."""
    try:
        return form.validate_json(content(file), strict=True)
    except (OSError, ValueError):
        return []


def document(file: Path) -> Any:  # noqa: ANN401 - a file holds anything
    """Return what a file of JSON holds.

    Raises OSError as `content` does, and ValueError: that is no JSON (RFC 8259), or nested too deep.
    """
    try:
        return json.loads(content(file))
    except RecursionError as problem:
        raise ValueError("nested too deep") from problem

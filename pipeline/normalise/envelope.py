"""How a device's bytes stand in a message: as they are, as text, or inside a JSON object."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.core.errors import PayloadError
from pipeline.core.field_path import WRAPPER, Fields, Path
from pipeline.core.json_words import lack, told
from pipeline.core.message import Message
from pipeline.core.strict_json import parse
from pipeline.sdk.connector import FromArrival, Uplink

Encoding = Literal["raw", "hex", "base64"]


_PORTS = range(256)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where the bytes are. field: None, and the message itself is the payload; else JSON wraps it. port: in the JSON.

    Both paths lead into the wrapping object.
    """

    encoding: Encoding = "raw"
    field: Path | None = None
    port: Path | None = None

    def open(self, message: Message) -> tuple[Uplink, Fields | None]:
        """Return the uplink, and the object that wrapped it.

        Raises:
            PayloadError: the bytes are not there, or not encoded as stated.
        """
        if self.field is None:
            return Uplink(_decoded(message.payload, self.encoding), received_at=FromArrival(message.arrival)), None
        wrapper = parse(message.payload)
        text = self.field.find(wrapper)
        if not isinstance(text, str):
            came = f"; {lack(self.field, wrapper)}" if text is None else f", got {told(text)}"
            raise PayloadError(f"Expected a text of {self.encoding} in {self.field.text}{came}.")
        port = None if self.port is None else _port(self.port, wrapper)
        return Uplink(_decoded(text.encode(), self.encoding), port, received_at=FromArrival(message.arrival)), wrapper

    def within(self, path: Path) -> Path:
        """Return where a path of the operator's leads in the fields of a reading."""
        return path if self.field is None else Path(path.text, (WRAPPER, *path.steps))


def _decoded(payload: bytes, encoding: Encoding) -> bytes:
    if encoding == "raw":
        return payload
    try:
        return binascii.unhexlify(payload.strip()) if encoding == "hex" else b64decode(payload.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PayloadError(f"Expected {encoding}: {error}.") from None


def _port(path: Path, wrapper: Any) -> int | None:  # noqa: ANN401 - a payload holds anything
    port = path.find(wrapper)
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or port not in _PORTS):
        raise PayloadError(f"Expected a port from 0 to 255 in {path.text}, got {told(port)}.")
    return port

"""From a payload to the fields of a reading: where the bytes stand in a message, their parser, their device."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.core.delivery import Cut, Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import WRAPPER, Fields, Path, lack, told
from pipeline.core.strict_json import parse
from pipeline.normalise.binding import Binding, FromField, FromTopic
from pipeline.sdk.connector import FromArrival, Uplink

Encoding = Literal["raw", "hex", "base64"]

_PORTS = range(256)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where the bytes are.

    Both paths lead into the wrapping object.

    Attributes:
        field: None, and the message itself is the payload; else JSON wraps it.
        port: In the JSON.
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


def too_large(payload: bytes, limit: int) -> PayloadError:
    """Return why a payload of more than `limit` bytes is not decoded."""
    size = payload.size if isinstance(payload, Cut) else len(payload)
    return PayloadError(f"Expected at most {limit} bytes (max_payload), got {size}.", Reason.PAYLOAD_TOO_LARGE)


def named(error: Exception, source: FromField | FromTopic, fields: Fields) -> Exception:
    """Return what is wrong with a reading; where that is its device's name, with the place that should have it."""
    if not isinstance(error, PayloadError) or error.reason is not Reason.DEVICE_MISSING:
        return error
    if isinstance(source, FromTopic):
        detail = f"Expected the device's name in the topic's level {{{source.name}}}; it is empty."
    elif not source.path.steps:  # an uplink says itself whose it is
        return error
    else:
        detail = f"Expected the device's name in {source.path.text}; {lack(source.path, fields)}."
    return PayloadError(detail, Reason.DEVICE_MISSING)


def parser(binding: Binding) -> Callable[[bytes], Fields]:
    """Return what parses an inline connector's payloads; whatever else it raises is a bug in it: a dead letter."""
    decode = binding.decode
    if decode is None:
        return parse

    def guarded(payload: bytes) -> Fields:
        try:
            return decode(payload)
        except PayloadError:
            raise
        except Exception as bug:
            detail = f"{binding.name} raised {type(bug).__name__}: {bug}"
            raise PayloadError(detail, Reason.CONNECTOR_FAILED) from bug

    return guarded


def name_of(binding: Binding, level: Callable[[str], str | None]) -> Callable[[str, Fields], Any]:
    """Return what finds a device's name, in a topic or in a reading's fields."""
    source = binding.device
    if isinstance(source, FromTopic):
        return lambda topic, _: level(topic)
    return _field_of(source)


def _field_of(source: FromField) -> Callable[[str, Fields], Any]:
    if len(source.path.steps) > 1:
        return lambda _, fields: source.path.find(fields)
    step = str(source.path.steps[0])
    return lambda _, fields: fields.get(step)

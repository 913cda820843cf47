"""The decode stage: from a payload to the fields of one device's reading."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from pipeline.core.delivery import Batch, Cut, Fate, Message, Stage
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import WRAPPER, Fields, Path, lack, told
from pipeline.core.strict_json import parse
from pipeline.encode.dead_letter import Refusals
from pipeline.normalise.binding import Binding, FromField, FromTopic
from pipeline.normalise.entity import Entity
from pipeline.normalise.plan import Plan
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


Reading = tuple[Entity, Fields, Message]
"""One device's fields, beside the entity that they are about and the message that brought them.

A plain tuple: it lives for one hop, and a named one costs 0.1 us more to make and take apart.
"""


class Decode(Stage[Message]):
    """Decodes the messages of one route.

    level: the device's name from a topic, where the connector takes it from there. keep_retained: an old value that
    the broker sends anew is a reading too; otherwise it is filtered.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        level: Callable[[str], str | None],
        keep_retained: bool,
        max_payload: int,
        out: Stage[Reading],
        refusals: Refusals,
    ) -> None:
        self._plan = plan
        self._keep_retained = keep_retained
        self._max_payload = max_payload
        self._out = out
        self._refusals = refusals
        self._decode = _guarded(plan.binding)
        self._name = name_of(plan.binding, level)

    def put(self, batch: Batch[Message]) -> None:
        """Decode each message; pass readings on, and dead letters to the publisher, all in the order of receipt."""
        readings: list[Reading] = []
        decode, name_of, entities, limit = self._decode, self._name, self._plan.entities, self._max_payload
        for message in batch.items:
            topic, payload, _, retained, _ = message
            if retained and not self._keep_retained:
                batch.delivery.seal(Fate.FILTERED)
                continue
            try:
                fields = decode(payload) if len(payload) <= limit else too_large(payload, limit)
                name = name_of(topic, fields)
                kind = name.__class__
                entity = entities.get(name) if kind is str or kind is int else None
                readings.append((entity or self._entity(name, fields), fields, message))
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                if readings:  # one of them may become a dead letter of the same topic, which is the older one
                    self._out.put(Batch(batch.delivery, readings))
                    readings = []
                self._refusals.refuse(batch.delivery, message, error, "decode", self._plan.provenance)
        if readings:
            self._out.put(Batch(batch.delivery, readings))

    def _entity(self, name: Any, fields: Fields) -> Entity:  # noqa: ANN401 - a payload holds anything
        try:
            return self._plan.known(name)
        except PayloadError as refusal:
            raise named(refusal, self._plan.binding.device, fields) from None

    def pending(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""


def too_large(payload: bytes, limit: int) -> NoReturn:
    """Refuse a payload.

    Raises:
        PayloadError: always.
    """
    size = payload.size if isinstance(payload, Cut) else len(payload)
    raise PayloadError(f"Expected at most {limit} bytes (max_payload), got {size}.", Reason.PAYLOAD_TOO_LARGE)


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


def _guarded(binding: Binding) -> Callable[[bytes], Fields]:
    """Return the connector's decoder; whatever else it raises is a bug in it, and the message a dead letter."""
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

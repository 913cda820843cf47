"""ChirpStack v4's events in protobuf. Uplinks are read field by field, the rest as the JSON that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from connectors.network_servers.chirpstack_event import KINDS, event, still_encrypted
from connectors.network_servers.later import Later
from connectors.network_servers.proto import chirpstack_common_pb2 as common
from connectors.network_servers.proto import chirpstack_integration_pb2 as messages
from connectors.network_servers.reading import HIGHEST_PORT, address_of, gateway, number, place, port
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.times import LATEST
from pipeline.sdk.dialect import Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui_of

AnyMessage = TypeVar("AnyMessage", bound=Message)

_head = messages.UplinkHead.FromString  # finding it in the class takes as long as the call
_event = messages.UplinkEvent.FromString

_CLASSES: dict[str, type[Message]] = {
    "up": messages.UplinkEvent,
    "join": messages.JoinEvent,
    "status": messages.StatusEvent,
    "ack": messages.AckEvent,
    "txack": messages.TxAckEvent,
    "log": messages.LogEvent,
    "location": messages.LocationEvent,
    "integration": messages.IntegrationEvent,
}


def reader(kind: str) -> Callable[[bytes, int], Said]:
    """Return what reads the events of one kind (the last level of their topic)."""
    if kind == "up":
        return _uplink
    return lambda payload, _: event(KINDS[kind], words(_CLASSES[kind], payload))


def _uplink(payload: bytes, received_at: int) -> Said:
    try:
        said = _head(payload)
    except DecodeError:
        raise _no_message() from None
    f_port = said.f_port
    if not 0 < f_port <= HIGHEST_PORT:
        port(f_port)
        return event("mac", words(messages.UplinkEvent, payload))
    if said.join_server_context:
        raise still_encrypted()
    decoded, moment = said.object, said.time
    since = moment.seconds * 1000 + moment.nanos // 1_000_000
    return Uplink(
        said.data,
        f_port,
        Later(_decoded, decoded) if decoded else None,
        received_at,
        eui_of(said.device_info.dev_eui),
        since if 0 < since <= LATEST else milliseconds(moment.seconds, moment.nanos),
        address_of(said.dev_addr),
        said.f_cnt,
        payload,
        _ASIDE,
    )


def _decoded(struct: bytes) -> dict[str, Any]:
    return _object(parsed(Struct.FromString, struct))


def parsed(from_string: Callable[[bytes], AnyMessage], payload: bytes) -> AnyMessage:
    """Return the message that the bytes hold.

    Raises:
        PayloadError: they hold none (`malformed`).
    """
    try:
        return from_string(payload)
    except DecodeError:
        raise _no_message() from None


def _no_message() -> PayloadError:
    sentence = "Expected JSON that starts with a brace, or the event of the topic in protobuf; got neither."
    return PayloadError(sentence, Reason.MALFORMED)


def words(of: type[Message], payload: bytes) -> dict[str, Any]:
    """Return a message as the JSON that it stands for, with what is 0, false or empty.

    Raises:
        PayloadError: it is no such message, or holds what JSON cannot say.
    """
    message = parsed(of.FromString, payload)
    try:
        said: dict[str, Any] = MessageToDict(message, always_print_fields_with_no_presence=True)
    except (Error, ValueError, OverflowError) as error:  # a time after the year 9999, a number that is none
        raise PayloadError(f"Expected {of.DESCRIPTOR.name} that JSON can say: {error}.", Reason.MALFORMED) from None
    return said


def milliseconds(seconds: int, nanoseconds: int) -> int | None:
    """Return milliseconds since 1970 UTC; None where the time is not set, which looks like 1970.

    Raises:
        PayloadError: it lies before 1970, or after the year 9999 (`time_invalid`).
    """
    since = seconds * 1000 + nanoseconds // 1_000_000
    if 0 <= since <= LATEST:
        return since or None
    raise PayloadError(f"Expected a time from 1970 to 9999, got {seconds} seconds.", Reason.TIME_INVALID)


def _receptions(payload: bytes) -> tuple[Reception, ...]:
    said = _whole(payload)
    lora = said.tx_info.modulation.HasField("lora")
    return tuple(
        Reception(
            gateway(info.gateway_id) or "",
            rssi=info.rssi,
            snr=number(round(info.snr, 2)) if lora else None,  # a float of 32 bits, of tenths or quarters
            time=clock(info.gw_time),
            location=_place(info.location),
        )
        for info in said.rx_info
        if info.gateway_id
    )


def _names(payload: bytes) -> Names:
    info = _whole(payload).device_info
    return Names(
        name=info.device_name or None,
        profile=info.device_profile_name or None,
        application=info.application_name or None,
        tags=dict(info.tags),
    )


def _whole(payload: bytes) -> messages.UplinkEvent:
    """Return all of the message, or nothing where the part that made no reading is broken."""
    try:
        return _event(payload)
    except DecodeError:
        return messages.UplinkEvent()


def clock(moment: Timestamp) -> int | None:
    """Return the time of a gateway, or None where it has no clock."""
    since = moment.seconds * 1000 + moment.nanos // 1_000_000
    return since if 0 < since <= LATEST else None


def _place(location: common.Location) -> tuple[float, ...] | None:
    return place(location.longitude, location.latitude, location.altitude or None)


def _object(struct: Struct) -> dict[str, Any]:
    return {name: _json(value) for name, value in struct.fields.items()}


def _json(value: Value) -> Any:  # noqa: ANN401 - JSON holds anything
    """ChirpStack writes null as a value of no kind."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "struct_value":
        return _object(value.struct_value)
    if kind == "list_value":
        return [_json(each) for each in value.list_value.values]
    return getattr(value, kind)


_ASIDE = LazyDetails(_receptions, _names)

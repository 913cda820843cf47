"""The uplink of ChirpStack v4's JSON in which all is as expected, which is nearly each: only what is needed of it.

An event with two gateways is 1.3 KB, of which a record needs a tenth. msgspec skips the rest without making it, which
takes a third of the time of parsing all. Whatever is not as expected is left to the careful reader, which says why.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, MsgspecError, Raw, Struct
from msgspec.json import Decoder

from connectors.network_servers.later import Later
from connectors.network_servers.reading import HIGHEST_COUNTER, HIGHEST_PORT, address, time
from pipeline.core.errors import PayloadError
from pipeline.core.strict_json import document
from pipeline.sdk.uplink import LazyDetails, Uplink, eui

_NOTHING = Raw()


class _Device(Struct):
    devEui: str  # noqa: N815 - the server's own names


class _Up(Struct):
    deviceInfo: _Device  # noqa: N815
    fPort: Annotated[int, Meta(ge=1, le=HIGHEST_PORT)]  # noqa: N815
    data: bytes = b""
    devAddr: str | None = None  # noqa: N815
    fCnt: Annotated[int, Meta(ge=0, le=HIGHEST_COUNTER)] = 0  # noqa: N815
    time: str | None = None
    object: Raw = _NOTHING
    joinServerContext: Raw = _NOTHING  # noqa: N815


_decode = Decoder(_Up).decode


def uplink(payload: bytes, received_at: int, aside: LazyDetails) -> Uplink | None:
    """Return the uplink, or None where anything is not as expected. aside: of a message that is still bytes."""
    try:
        up = _decode(payload)
        if up.joinServerContext is not _NOTHING or not (payload.isascii() or payload.decode()):
            return None  # what is skipped is not looked at: bytes that are no UTF-8 are refused as everywhere
        return Uplink(
            up.data,
            up.fPort,
            None if up.object is _NOTHING else _fields(bytes(up.object)),
            received_at,
            eui(up.deviceInfo.devEui),
            time(up.time, "time"),
            address(up.devAddr),
            up.fCnt,
            payload,
            aside,
        )
    except (MsgspecError, PayloadError, RecursionError, UnicodeDecodeError):
        return None


def unparsed(aside: LazyDetails) -> LazyDetails:
    """Return, for messages that are still bytes, what is made of them once they are parsed."""
    return LazyDetails(
        lambda payload: aside.receptions(_whole(payload)),
        lambda payload: aside.names(_whole(payload)),
    )


def _whole(payload: bytes) -> dict[str, Any]:
    """Return the message; nothing of one that only the lenient reader could take."""
    try:
        return document(payload)
    except PayloadError:
        return {}


def _fields(written: bytes) -> Later | None:
    if written in {b"null", b"{}"}:
        return None
    if written[:1] != b"{":
        raise PayloadError("Expected an object of fields.")
    return Later(document, written)

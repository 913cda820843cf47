"""Tektelic KONA Core: `integrations/v1/<integration>/<DevEUI>/uplink` of its own broker, or the operator's topic, JSON.

Shape: wiki.tektelic.com, "Decoder v2" and "MQTT Broker Integration". A message is the output of a data converter v2:
`data` (decoded fields), `errors`, `warnings`, and `tektelicMetadata`, the message's envelope, which the converter must
pass on. Without it the output has nothing of the server's and is refused. Where a converter passes on the payload, as a
list of numbers or in Base64 (`bytes`), a connector gets it.

`recvTime` is in milliseconds, or in seconds as in the documentation. Battery and margin in the metadata are of the last
DevStatusAns; they come with each uplink and are left alone. DevAddr: `devAddr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError
from pipeline.sdk.dialect import Dialect, Event, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui

_METADATA = "tektelicMetadata"


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    if _METADATA not in document:
        raise PayloadError(f"Expected {_METADATA} beside data; it is absent. Let the data converter pass it on.")
    metadata = reading.mapping(document[_METADATA], _METADATA)
    device = eui(metadata.get("deviceEui"))
    time = reading.time(metadata.get("recvTime"), "recvTime")
    port = reading.port(metadata.get("fPort"))
    names = partial(_names, metadata)
    if not port:
        return (Event("mac", device, time=time, details=reading.public(document), names=names),)
    fields = document.get("data")
    sent = _bytes(document.get("bytes", metadata.get("bytes", fields if isinstance(fields, str) else None)))
    uplink = Uplink(
        payload=sent or b"",
        port=port,
        fields=fields if isinstance(fields, dict) and fields else None,
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(metadata.get("devAddr")),
        f_cnt=reading.counter(metadata.get("fCntUp")),
        said=metadata,
        aside=_ASIDE,
    )
    if uplink.fields is None and sent is None:
        raise PayloadError(f"Expected data or bytes of the data converter, got neither; errors: {_errors(document)}")
    return (uplink,)


def _bytes(value: object) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return reading.base64(value, "bytes")
    try:
        return bytes(value)
    except (TypeError, ValueError):
        raise PayloadError("Expected numbers from 0 to 255 in bytes, got others.") from None


def _errors(document: Mapping[str, Any]) -> str:
    errors = document.get("errors")
    return "; ".join(each[:200] for each in errors[:5] if isinstance(each, str)) if isinstance(errors, list) else "none"


def _receptions(metadata: Mapping[str, Any]) -> tuple[Reception, ...]:
    return tuple(
        Reception(
            gateway=name,
            rssi=reading.number(each.get("rssi")),
            snr=reading.number(each.get("snr")),
            location=reading.place(each.get("lon"), each.get("lat"), each.get("alt")),
        )
        for each in reading.objects(metadata.get("gatewayRxInfo"))
        if (name := reading.gateway(each.get("gwEui"))) is not None
    )


def _names(metadata: Mapping[str, Any]) -> Names:
    return Names(
        name=reading.text(metadata.get("deviceName")),
        model=reading.text(metadata.get("deviceModelName")),
        application=reading.text(metadata.get("applicationName")),
    )


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    return document is not None and _METADATA in document


_ASIDE = LazyDetails(_receptions, _names)
dialect = Dialect("tektelic", _reader, _recognises)

"""Milesight WS302 sound level meter.

User guide, section 6 (device payload): https://www.milesight.com/iot/product/lorawan-sensor/ws302. Each item is a
channel, a type and its data, little-endian. The levels cover the reporting interval, which is 10 minutes as delivered.
With C-weighting a level is no LAeq: such a payload is refused, and the device should be set to A.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

SOUND = struct.Struct("<BHHH")  # weighting, level, equivalent level, highest level; tenths of a decibel
A_WEIGHTED = {1, 5}  # without and with fast time weighting
# of a reply to a command, on channel fe or ff: how many bytes follow its type
REPLIES = {"10": 1, "11": 4, "17": 2, "1d": 2, "2d": 1, "3b": 1}
SIZES = {
    "0175": 1,
    "055b": SOUND.size,
    "ff01": 1,
    "ff09": 2,
    "ff0a": 2,
    "ff0b": 1,
    "ff0f": 1,
    "ff16": 8,
    "fffe": 1,
    "ffff": 2,
}
SIZES |= {f"{channel}{kind}": size for channel in ("fe", "ff") for kind, size in REPLIES.items()}


def decode(uplink: Uplink) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the levels, or what the device says of itself when it joins."""
    payload = uplink.frame()
    fields: dict[str, Any] = {}
    at = 0
    while at < len(payload) or at == 0:
        key = payload[at : at + 2].hex()
        if key not in SIZES:
            raise PayloadError(f"expected a channel and type of the user guide at byte {at}, got {key or 'the end'}")
        data = payload[at + 2 : at + 2 + SIZES[key]]
        if len(data) < SIZES[key]:
            raise PayloadError(f"expected {SIZES[key]} bytes after {key} at byte {at}, got {len(data)}")
        fields |= read(key, data)
        at += 2 + SIZES[key]
    return fields or []


def read(key: str, data: bytes) -> dict[str, Any]:
    """Return the fields of one item."""
    if key == "0175":
        return {"battery": data[0]}
    if key == "055b":
        weighting, level, equivalent, highest = SOUND.unpack(data)
        if weighting not in A_WEIGHTED:
            raise PayloadError(f"expected A-weighting (1 or 5), got {weighting}: set the device to A-weighting")
        return {"level": level / 10, "equivalent": equivalent / 10, "highest": highest / 10}
    if key == "ff09":
        return {"hardware": f"{data[0]}.{data[1] >> 4}"}
    if key == "ff0a":
        return {"firmware": f"{data[0]}.{data[1]:x}"}
    return {"serial": data.hex()} if key == "ff16" else {}


GUIDE = "WS302 user's guide, section 6.1, pages 14 and 15"

connector = Connector(
    vendor="milesight",
    devices=("ws302",),
    owner="@headrace",
    decode=decode,
    model="NoiseLevelObserved",
    attributes={"LAeq": Attribute("equivalent", unit="dBA"), "LAmax": Attribute("highest", unit="dBA")},
    period=600,
    device={
        "batteryLevel": Attribute("battery", unit="%"),
        "hardwareVersion": Attribute("hardware"),
        "firmwareVersion": Attribute("firmware"),
        "serialNumber": Attribute("serial"),
    },
    examples=(
        Example(
            "levels with fast time weighting",
            hex="017564055b053f02da016a02",
            port=85,
            expect={"NoiseLevelObserved": {"LAeq": 47.4, "LAmax": 61.8}, "Device": {"batteryLevel": 1.0}},
            source="WS302 user's guide, section 6.2, page 15",
        ),
        Example(
            "what it says when it joins",
            hex="ff0bffff0101ff166743c13353300001ff090100ff0a0102ff0f00",
            port=85,
            expect={"Device": {"hardwareVersion": "1.0", "firmwareVersion": "1.2", "serialNumber": "6743c13353300001"}},
            source=GUIDE,
        ),
        Example(
            "a reply to a restart",
            hex="fe10ff",
            port=85,
            expect=[],
            source="https://github.com/Milesight-IoT/SensorDecoders, ws302-decoder.js, reboot",
        ),
        Example("C-weighted", hex="017564055b063f02da016a02", port=85, expect=PayloadError),
        Example("cut within the levels", hex="017564055b053f02da01", port=85, expect=PayloadError),
    ),
)

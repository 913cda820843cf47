"""Dragino LHT65 temperature and humidity, with an external sensor.

User manual, section 2.4 (uplink payload): https://wiki.dragino.com. Eleven bytes on port 2, big-endian. The attributes
are those of the built-in sensor; the external one, which may be in a soil, a pipe or a fridge, is decoded as
`external_temperature` or `illuminance` and left to inline mapping.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

FRAME = struct.Struct(">HhHB4s")  # battery, temperature, humidity, external sensor's kind and value
PORT = 2
STATES = ("ultra low", "low", "ok", "good")
TEMPERATURE_PROBE, LIGHT_PROBE, WITH_TIME, PROBE_ID = 1, 5, 9, 15


def decode(uplink: Uplink) -> dict[str, Any]:
    """Return one reading; `supply` is in volts."""
    if uplink.port not in {PORT, None}:
        raise PayloadError(f"expected port {PORT}, got port {uplink.port}")
    if len(uplink.payload) != FRAME.size:
        raise PayloadError(f"expected {FRAME.size} bytes, got {len(uplink.payload)}")
    battery, temperature, humidity, kind, external = FRAME.unpack(uplink.payload)
    probe = kind & 0x0F
    if probe in {WITH_TIME, PROBE_ID} or kind & 0x40:
        raise PayloadError(f"expected a present reading, got the kind {kind:#04x}: a kept one, or a probe's name")
    fields = {
        "supply": (battery & 0x3FFF) / 1000,
        "battery": STATES[battery >> 14],
        "temperature": temperature / 100,
        "humidity": (humidity & 0x0FFF) / 10,
    }
    return fields | outside(probe, external)


def outside(probe: int, value: bytes) -> dict[str, Any]:
    """Return what the external sensor says."""
    if probe == TEMPERATURE_PROBE and value[:2] != b"\x7f\xff":
        return {"external_temperature": int.from_bytes(value[:2], "big", signed=True) / 100}
    return {"illuminance": int.from_bytes(value[:2], "big")} if probe == LIGHT_PROBE else {}


PUBLISHED = "https://github.com/TheThingsNetwork/lorawan-devices, vendor/dragino/lht65-codec.yaml"

connector = Connector(
    vendor="dragino",
    devices=("lht65", "lht65n"),
    owner="@headrace",
    decode=decode,
    model="WeatherObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
    },
    device={"deviceState": Attribute("battery")},
    examples=(
        Example(
            "with a temperature probe",
            hex="cbf60b0d0376010add7fff",
            port=2,
            expect={
                "WeatherObserved": {"temperature": 28.29, "relativeHumidity": 0.886},
                "Device": {"deviceState": "good"},
            },
            source=PUBLISHED,
        ),
        Example(
            "below freezing, without a probe",
            hex="cbf6ff3f0376007fff7fff",
            port=2,
            expect={"temperature": -1.93, "relativeHumidity": 0.886},
            source=f"{PUBLISHED}, with another temperature and no external sensor",
        ),
        Example("another port", hex="cbf60b0d0376010add7fff", port=42, expect=PayloadError, source=PUBLISHED),
        Example("cut", hex="cbf60b0d0376010add", port=2, expect=PayloadError),
    ),
)

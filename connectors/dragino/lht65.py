"""Dragino LHT65 and LHT65N temperature and humidity, with an external sensor.

User manual, section 2.4 (uplink payload): https://wiki.dragino.com; the vendor's decoders:
https://github.com/dragino/dragino-end-node-decoder, LHT65N. Big-endian:

- port 2: a reading of eleven bytes; or, when a server has polled, readings that were kept, eleven bytes each, which the
  second highest bit of the seventh byte says. Each has its own time.
- port 5: what the device says of itself when it joins, and each half a day.
- port 3: temperatures that the external probe has kept, without a time and so without a use here.

The attributes are those of the built-in sensor; the external one, which may be in a soil, a pipe or a fridge, is
decoded as `external_temperature` or `illuminance` and left to inline mapping. Of the status the frequency `band` and
the `supply` in volts are decoded, and have no attribute of Device.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Time, Uplink

FRAME = struct.Struct(">HhHB4s")  # battery, temperature, humidity, external sensor's kind and value
KEPT = struct.Struct(">2shHBI")  # the external sensor's value, temperature, humidity, its kind, seconds since 1970
STATUS = struct.Struct(">BBBBBH")  # model, firmware (two), frequency band and its part, battery
PORT, PROBE_LOG_PORT, STATUS_PORT = 2, 3, 5
POLLED = 0x40
MODELS = {0x0B, 0x1A}  # LHT65N, LHT65N-PIR
BANDS = (
    *("EU868", "US915", "IN865", "AU915", "KZ865", "RU864", "AS923", "AS923-1", "AS923-2", "AS923-3"),
    *("CN470", "EU433", "KR920", "MA869"),
)
STATES = ("ultra low", "low", "ok", "good")
TEMPERATURE_PROBE, LIGHT_PROBE, WITH_TIME, PROBE_ID = 1, 5, 9, 15


def decode(uplink: Uplink) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one reading, those that were kept, or what the device says of itself; `supply` is in volts."""
    payload, port = uplink.frame(), uplink.port
    if port == STATUS_PORT:
        return status(payload)
    if port == PROBE_LOG_PORT:
        return []
    if port not in {PORT, None}:
        raise PayloadError(f"expected port {PORT}, {PROBE_LOG_PORT} or {STATUS_PORT}, got port {port}")
    if not payload or len(payload) % FRAME.size:
        raise PayloadError(f"expected {FRAME.size} bytes, or as many for each kept reading, got {len(payload)}")
    if payload[6] & POLLED:
        return [kept(payload[at : at + KEPT.size]) for at in range(0, len(payload), KEPT.size)]
    if len(payload) > FRAME.size:
        raise PayloadError(f"expected {FRAME.size} bytes of a present reading, got {len(payload)}")
    return present(payload)


def present(payload: bytes) -> dict[str, Any]:
    """Return the reading of now."""
    battery, temperature, humidity, kind, external = FRAME.unpack(payload)
    probe = kind & 0x0F
    if probe in {WITH_TIME, PROBE_ID}:
        raise PayloadError(f"expected a present reading, got the kind {kind:#04x}: one with a time, or a probe's name")
    fields = {
        "supply": (battery & 0x3FFF) / 1000,
        "battery": STATES[battery >> 14],
        "temperature": temperature / 100,
        "humidity": (humidity & 0x0FFF) / 10,
    }
    return fields | outside(probe, external)


def kept(entry: bytes) -> dict[str, Any]:
    """Return one reading that was kept."""
    external, temperature, humidity, kind, seconds = KEPT.unpack(entry)
    fields = {"time": seconds, "temperature": temperature / 100, "humidity": (humidity & 0x0FFF) / 10}
    return fields | outside(kind & 0x0F, external)


def status(payload: bytes) -> dict[str, Any]:
    """Return what the device says of itself."""
    if len(payload) != STATUS.size:
        raise PayloadError(f"expected {STATUS.size} bytes on port {STATUS_PORT}, got {len(payload)}")
    model, major, minor, band, _, battery = STATUS.unpack(payload)
    if model not in MODELS:
        raise PayloadError(f"expected the model 0b or 1a, got {model:02x}: the device is another one")
    known = 0 < band <= len(BANDS)
    told = {"band": BANDS[band - 1]} if known else {}
    return {"firmware": f"{major & 15}.{minor >> 4}.{minor & 15}", "supply": battery / 1000, **told}


def outside(probe: int, value: bytes) -> dict[str, Any]:
    """Return what the external sensor says."""
    if probe == TEMPERATURE_PROBE and value[:2] != b"\x7f\xff":
        return {"external_temperature": int.from_bytes(value[:2], "big", signed=True) / 100}
    return {"illuminance": int.from_bytes(value[:2], "big")} if probe == LIGHT_PROBE else {}


VENDOR = "the layout of github.com/dragino/dragino-end-node-decoder, LHT65N-TTN-v1.5.6_decoder.txt"
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
    device={
        "deviceState": Attribute("battery"),
        "firmwareVersion": Attribute("firmware"),
    },
    time=Time("time", unit="s"),
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
        Example(
            "status",
            hex="0b010001000b3a",
            port=5,
            expect={"Device": {"firmwareVersion": "1.0.0"}},
            source="LHT52 user manual, section 2.4.1 (the same frame), with the model of the LHT65N",
        ),
        Example(
            "kept readings, which a server has asked for",
            hex="7fff0b0d0376406774a1407fffff3f037640" + "6774a3d4",
            port=2,
            expect=[
                {"temperature": 28.29, "relativeHumidity": 0.886},
                {"temperature": -1.93, "relativeHumidity": 0.886},
            ],
            source=VENDOR,
        ),
        Example("the probe's log", hex="0cb6010ac30ac40ac5", port=3, expect=[], source=VENDOR),
        Example("status of another device", hex="09010001000b3a", port=5, expect=PayloadError),
        Example("kept readings, cut", hex="7fff0b0d0376406774a1407fff", port=2, expect=PayloadError),
        Example("another port", hex="cbf60b0d0376010add7fff", port=42, expect=PayloadError, source=PUBLISHED),
        Example("cut", hex="cbf60b0d0376010add", port=2, expect=PayloadError),
    ),
)

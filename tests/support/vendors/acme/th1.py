"""Acme TH-1, which does not exist: one family with everything that the surface offers.

Port 1: temperature, humidity, battery. Port 2: kept readings, each with its time. Port 3: carbon dioxide. Port 4:
battery only. Port 5: firmware only.
"""

import struct
from collections.abc import Mapping
from typing import Any

from headrace import Attribute, Connector, Decoded, Example, Observation, PayloadError, Time, Uplink

NOW = struct.Struct(">hBB")
KEPT = struct.Struct(">IhB")


def decode(uplink: Uplink) -> Decoded:
    payload = uplink.payload
    if uplink.port == 2 and payload and len(payload) % KEPT.size == 0:
        return [reading(deci, humidity, at=at * 1000) for at, deci, humidity in KEPT.iter_unpack(payload)]
    if uplink.port == 3 and len(payload) == 2:
        return {"at": uplink.received_at, "co2": int.from_bytes(payload)}
    if uplink.port == 4 and len(payload) == 1:
        return {"at": uplink.received_at, "battery": payload[0]}
    if uplink.port == 5 and len(payload) == 2:
        return {"at": uplink.received_at, "firmware": f"{payload[0]}.{payload[1]}"}
    if len(payload) != NOW.size:
        raise PayloadError(f"expected {NOW.size} bytes, got {len(payload)}")
    deci, humidity, battery = NOW.unpack(payload)
    return {**reading(deci, humidity, at=uplink.received_at), "battery": battery}


def reading(deci: int, humidity: int, *, at: int) -> Mapping[str, Any]:
    return {"at": at, "temperature": deci / 10, "humidity": humidity}


connector = Connector(
    vendor="acme",
    devices=("th-1", "th-1b"),
    owner="@acme-iot",
    decode=decode,
    observations=(
        Observation(
            "WeatherObserved",
            {"temperature": Attribute("temperature", "degC"), "relativeHumidity": Attribute("humidity", "%")},
        ),
        Observation("AirQualityObserved", {"co2": Attribute("co2", "ppm")}),
    ),
    device={"batteryLevel": Attribute("battery", "%"), "firmwareVersion": Attribute("firmware")},
    time=Time("at", "ms"),
    examples=(
        Example(
            "below freezing",
            hex="ffce3764",
            expect={
                "WeatherObserved": {"temperature": -5.0, "relativeHumidity": 0.55},
                "Device": {"batteryLevel": 1.0},
            },
        ),
        Example(
            "two kept",
            hex="6b49d20000d73c6b49d23c00d83d",
            port=2,
            expect=[
                {"WeatherObserved": {"temperature": 21.5, "relativeHumidity": 0.6}},
                {"WeatherObserved": {"temperature": 21.6, "relativeHumidity": 0.61}},
            ],
        ),
        Example("air", hex="01a4", port=3, expect={"AirQualityObserved": {"co2": 420.0}}),
        Example("battery only", hex="32", port=4, expect={"Device": {"batteryLevel": 0.5}}),
        Example("firmware only", hex="0102", port=5, expect={"Device": {"firmwareVersion": "1.2"}}),
        Example("truncated", hex="ff", expect=PayloadError),
    ),
)

"""SenseCAP S2120 weather station, eight in one.

User guide, section 10.3: https://www.easymanua.ls/sensecap/s2120/manual?p=42. Frames of a number and its data,
big-endian. Later firmware sends 4A and 4B in place of 01 and 02, and the gust in 4C. Not mapped: the rain, which is an
hourly rate (02) or a running total (4C) and never what fell since the last reading, and the UV index, which is the
present one and not the period's highest.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

AIR = struct.Struct(">hBIBH")  # temperature, humidity, light, UV index, wind speed
WIND = struct.Struct(">HIH")  # wind direction, rain, pressure
POWER = struct.Struct(">BBBBBHH")  # battery, hardware and firmware version, intervals
GUST = struct.Struct(">HI")  # gust, rain
SIZES = {0x01: 10, 0x02: 8, 0x03: 1, 0x04: 9, 0x05: 4, 0x06: 1, 0x10: 9, 0x4A: 10, 0x4B: 8, 0x4C: 6}


def decode(uplink: Uplink) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one reading, or none of frames that tell of intervals and failures only; pressure is in pascal."""
    payload = uplink.frame()
    if not payload:
        raise PayloadError("expected a frame, got an empty payload")
    fields: dict[str, Any] = {}
    at = 0
    while at < len(payload):
        frame = payload[at]
        if frame not in SIZES:
            raise PayloadError(f"expected a frame of the user guide at byte {at}, got {frame:02x}")
        data = payload[at + 1 : at + 1 + SIZES[frame]]
        if len(data) < SIZES[frame]:
            raise PayloadError(f"expected {SIZES[frame]} bytes after frame {frame:02x} at byte {at}, got {len(data)}")
        fields |= read(frame, data)
        at += 1 + SIZES[frame]
    return fields or []


def read(frame: int, data: bytes) -> dict[str, Any]:
    """Return the fields of one frame."""
    match frame:
        case 0x01 | 0x4A:
            temperature, humidity, light, uv, wind = AIR.unpack(data)
            air = {"temperature": temperature / 10, "humidity": humidity, "light": light}
            return {**air, "uv_index": uv / 10, "wind_speed": wind / 10}
        case 0x02 | 0x4B:
            direction, rain, pressure = WIND.unpack(data)
            return {"wind_direction": direction, "rain_rate": rain / 1000, "pressure": pressure * 10}
        case 0x03:
            return {"battery": data[0]}
        case 0x04:
            battery, hardware, hardware_minor, firmware, firmware_minor, _, _ = POWER.unpack(data)
            versions = {"hardware": f"{hardware}.{hardware_minor}", "firmware": f"{firmware}.{firmware_minor}"}
            return {"battery": battery, **versions}
        case 0x4C:
            gust, total = GUST.unpack(data)
            return {"gust_speed": gust / 10, "rain_total": total / 1000}
    return {}


connector = Connector(
    vendor="sensecap",
    devices=("s2120",),
    owner="@headrace",
    decode=decode,
    model="WeatherObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
        "atmosphericPressure": Attribute("pressure", unit="Pa"),
        "illuminance": Attribute("light", unit="lx"),
        "windSpeed": Attribute("wind_speed", unit="m/s"),
        "windDirection": Attribute("wind_direction", unit="deg"),
        "gustSpeed": Attribute("gust_speed", unit="m/s"),
    },
    device={
        "batteryLevel": Attribute("battery", unit="%"),
        "hardwareVersion": Attribute("hardware"),
        "firmwareVersion": Attribute("firmware"),
    },
    examples=(
        Example(
            "a day with wind",
            hex="0100854d00000f4700001502007f0000000026ee0364",
            port=3,
            expect={
                "temperature": 13.3,
                "relativeHumidity": 0.77,
                "atmosphericPressure": 996.6,
                "illuminance": 3911.0,
                "windSpeed": 2.1,
                "windDirection": 127.0,
            },
            source="https://github.com/home-assistant/core/issues/121249",
        ),
        Example(
            "frames of later firmware",
            hex="4a00f136000000000000004b004e0000000026fb4c0000000001fc",
            port=3,
            expect={
                "temperature": 24.1,
                "relativeHumidity": 0.54,
                "atmosphericPressure": 997.9,
                "illuminance": 0.0,
                "windSpeed": 0.0,
                "windDirection": 78.0,
                "gustSpeed": 0.0,
            },
            source="https://github.com/Seeed-Solution/SenseCAP-Decoder/issues/12",
        ),
        Example(
            "power on",
            hex="046401010103000a05a0010110430000000000000002011a000000002702",
            port=3,
            expect={
                "WeatherObserved": {
                    "temperature": 27.2,
                    "relativeHumidity": 0.67,
                    "atmosphericPressure": 998.6,
                    "illuminance": 0.0,
                    "windSpeed": 0.0,
                    "windDirection": 282.0,
                },
                "Device": {"batteryLevel": 1.0, "hardwareVersion": "1.1", "firmwareVersion": "1.3"},
            },
            source="S2120 user guide, section 10.3.2, page 41",
        ),
        Example("cut within the wind", hex="0100854d00000f4700001502007f0000", port=3, expect=PayloadError),
        Example("an unknown frame", hex="7f00854d", port=3, expect=PayloadError),
    ),
)

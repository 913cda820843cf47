"""An air-quality station that does not exist: ten bytes that say what the plain JSON message of the benchmark says."""

import struct

from headrace import Attribute, Connector, Example, PayloadError, Uplink

FRAME = struct.Struct(">hHHHH")  # tenths of: a degree Celsius, % relative humidity, PM10, PM2.5 and NO2 in ug/m3


def decode(uplink: Uplink) -> dict[str, float]:
    payload = uplink.payload
    if len(payload) != FRAME.size:
        raise PayloadError(f"expected {FRAME.size} bytes, got {len(payload)}")
    temperature, humidity, pm10, pm25, no2 = FRAME.unpack(payload)
    return {
        "temperature": temperature / 10,
        "humidity": humidity / 10,
        "pm10": pm10 / 10,
        "pm25": pm25 / 10,
        "no2": no2 / 10,
    }


connector = Connector(
    vendor="lorabench",
    devices=("aq-5",),
    owner="@headrace",
    decode=decode,
    model="AirQualityObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
        "pm10": Attribute("pm10", unit="ug/m3"),
        "pm25": Attribute("pm25", unit="ug/m3"),
        "no2": Attribute("no2", unit="ug/m3"),
    },
    examples=(
        Example(
            "below freezing",
            hex="ffce022600b900670151",
            expect={"temperature": -5.0, "relativeHumidity": 0.55, "pm10": 18.5, "pm25": 10.3, "no2": 33.7},
        ),
        Example(
            "a warm day",
            hex="010a01a400c8006400fa",
            expect={"temperature": 26.6, "relativeHumidity": 0.42, "pm10": 20.0, "pm25": 10.0, "no2": 25.0},
        ),
        Example("truncated", hex="ffce", expect=PayloadError),
    ),
)

"""Decentlab DL-ATM41 weather station (METER ATMOS 41).

Data sheet: https://www.decentlab.com/products/eleven-parameter-weather-station-for-lorawan, section payload. Version,
device, flags, then the words of each group whose flag is set; big-endian. The rain is what fell since the last reading.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

HEAD = struct.Struct(">BHH")  # protocol version, device, flags
VERSION = 2
ZERO = 0x8000  # a word is a number above or below this
STATION, BATTERY = 1, 2
# field: how many steps make one unit; in the order of the words
WORDS = {
    "solar_radiation": 1,
    "precipitation": 1000,
    "lightning_strikes": 1,
    "lightning_distance": 1,
    "wind_speed": 100,
    "wind_direction": 10,
    "gust_speed": 100,
    "temperature": 10,
    "vapour_pressure": 100,
    "pressure": 100,
    "humidity": 10,
    "internal_temperature": 10,
    "tilt_x": 10,
    "tilt_y": 10,
    "compass": 1,
    "wind_north": 100,
    "wind_east": 100,
}


def decode(uplink: Uplink) -> dict[str, Any]:
    """Return one reading; pressures are in kilopascal, `supply` is in volts."""
    payload = uplink.frame()
    if len(payload) < HEAD.size:
        raise PayloadError(f"expected at least {HEAD.size} bytes, got {len(payload)}")
    version, _, flags = HEAD.unpack_from(payload)
    if version != VERSION:
        raise PayloadError(f"expected protocol version {VERSION}, got {version}")
    if not flags or flags & ~(STATION | BATTERY):
        raise PayloadError(f"expected the flags of station (1) and battery (2), got {flags:#x}")
    count = len(WORDS) * bool(flags & STATION) + bool(flags & BATTERY)
    if len(payload) != HEAD.size + 2 * count:
        raise PayloadError(f"expected {HEAD.size + 2 * count} bytes for the flags {flags}, got {len(payload)}")
    words = struct.unpack_from(f">{count}H", payload, HEAD.size)
    fields: dict[str, Any] = {}
    if flags & STATION:
        pairs = zip(WORDS.items(), words, strict=False)
        fields = {name: (word - ZERO) / steps for (name, steps), word in pairs}
    return fields | ({"supply": words[-1] / 1000} if flags & BATTERY else {})


PUBLISHED = "https://github.com/TheThingsNetwork/lorawan-devices, vendor/decentlab/dl-atm41-codec.yaml"

connector = Connector(
    vendor="decentlab",
    devices=("dl-atm41",),
    owner="@headrace",
    decode=decode,
    model="WeatherObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
        "atmosphericPressure": Attribute("pressure", unit="kPa"),
        "windSpeed": Attribute("wind_speed", unit="m/s"),
        "windDirection": Attribute("wind_direction", unit="deg"),
        "gustSpeed": Attribute("gust_speed", unit="m/s"),
        "precipitation": Attribute("precipitation", unit="mm"),
        "solarRadiation": Attribute("solar_radiation", unit="W/m2"),
    },
    examples=(
        Example(
            "a reading",
            hex="02035a0003800a8000800080008009812b8014810880b4a57c820c810980027fe88056800880040bf5",
            port=1,
            expect={
                "temperature": 26.4,
                "relativeHumidity": 0.524,
                "atmosphericPressure": 959.6,
                "windSpeed": 0.09,
                "windDirection": 29.9,
                "gustSpeed": 0.2,
                "precipitation": 0.0,
                "solarRadiation": 10.0,
            },
            source=PUBLISHED,
        ),
        Example("the battery alone", hex="02035a00020bf5", port=1, expect={}, source=PUBLISHED),
        Example("cut within the words", hex="02035a0003800a8000", port=1, expect=PayloadError),
        Example("another protocol version", hex="01035a00020bf5", port=1, expect=PayloadError),
    ),
)

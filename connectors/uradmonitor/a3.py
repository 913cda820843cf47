"""uRADMonitor A3 air quality monitor.

The vendor's table of the payload: https://github.com/TheThingsNetwork/lorawan-devices, vendor/uradmonitor/a3.js.
Thirty-two bytes, big-endian; the last is a check sum of which no definition was found, and LoRaWAN has its own. Not
mapped: the sound level, whose weighting in time is not stated, formaldehyde, and the resistance of the gas sensor.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

# name, hardware, firmware, uptime; temperature, pressure, humidity; gas, noise; gases, particles; check sum
FRAME = struct.Struct(">4sBBIHHB3sB6HB")
NEGATIVE = 0x8000
PRESSURE_ZERO = 65_535


def decode(uplink: Uplink) -> dict[str, Any]:
    """Return one reading; pressure is in pascal."""
    if len(uplink.payload) != FRAME.size:
        raise PayloadError(f"expected {FRAME.size} bytes, got {len(uplink.payload)}")
    _, hardware, firmware, _, *values, _ = FRAME.unpack(uplink.payload)
    temperature, pressure, humidity, gas, noise, co2, formaldehyde, ozone, pm1, pm2_5, pm10 = values
    return {
        "hardware": f"HW{hardware}",
        "firmware": str(firmware),
        "temperature": signed(temperature) / 100,
        "pressure": pressure + PRESSURE_ZERO,
        "humidity": humidity / 2,
        "gas_resistance": int.from_bytes(gas, "big"),
        "noise": noise / 2,
        "co2": co2,
        "formaldehyde": formaldehyde,
        "ozone": ozone,
        "pm1": pm1,
        "pm2_5": pm2_5,
        "pm10": pm10,
    }


def signed(word: int) -> int:
    """Return the number of a word whose highest bit is the sign."""
    return -(word - NEGATIVE) if word & NEGATIVE else word


PUBLISHED = "https://github.com/TheThingsNetwork/lorawan-devices, vendor/uradmonitor/"

connector = Connector(
    vendor="uradmonitor",
    devices=("a3",),
    owner="@headrace",
    decode=decode,
    model="AirQualityObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
        "pressure": Attribute("pressure", unit="Pa"),
        "co2": Attribute("co2", unit="ppm"),
        "o3": Attribute("ozone", unit="ppb"),
        "pm1": Attribute("pm1", unit="ug/m3"),
        "pm25": Attribute("pm2_5", unit="ug/m3"),
        "pm10": Attribute("pm10", unit="ug/m3"),
    },
    device={"hardwareVersion": Attribute("hardware"), "firmwareVersion": Attribute("firmware")},
    examples=(
        Example(
            "clean air",
            hex="8200029a6c4e0000025808e48ee470032dd33b0236000700140008000a000bd5",
            port=1,
            expect={
                "temperature": 22.76,
                "relativeHumidity": 0.56,
                "pressure": 1021.15,
                "co2": 566.0,
                "o3": 20.0,
                "pm1": 8.0,
                "pm25": 10.0,
                "pm10": 11.0,
            },
            source=f"{PUBLISHED}uradmonitor-model-a3-codec.yaml",
        ),
        Example(
            "smoke",
            hex="820002846c4e00012e1c0a1b88bc660131298d026a005300140055006f009ce2",
            port=1,
            expect={
                "temperature": 25.87,
                "relativeHumidity": 0.51,
                "pressure": 1005.39,
                "co2": 618.0,
                "o3": 20.0,
                "pm1": 85.0,
                "pm25": 111.0,
                "pm10": 156.0,
            },
            source=f"{PUBLISHED}a3.js, the fields' examples",
        ),
        Example("cut before the particles", hex="820002846c4e00012e1c0a1b88bc660131298d026a", expect=PayloadError),
    ),
)

"""Decentlab DL-IAM: the air and the light of a room, carbon dioxide, volatile organic compounds and motion.

Data sheet: https://www.decentlab.com/products/indoor-ambiance-monitor-including-co2-tvoc-and-motion-sensor-for-lorawan,
section payload. Version, device, flags, then the words of each group whose flag is set; big-endian.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, Observation, PayloadError, Uplink

HEAD = struct.Struct(">BHH")  # protocol version, device, flags
VERSION = 2
ZERO = 0x8000  # carbon dioxide is a number above or below this
FULL = 0xFFFF
# how many words the group of each flag has, the lowest flag first
GROUPS = {"battery": 1, "climate": 2, "pressure": 1, "light": 2, "co2": 3, "motion": 1, "tvoc": 1}


def decode(uplink: Uplink) -> dict[str, Any]:
    """Return one reading; `supply` is in volts, pressure in pascal."""
    groups = split(uplink.frame())
    fields: dict[str, Any] = {}
    if "battery" in groups:
        fields["supply"] = groups["battery"][0] / 1000
    if "climate" in groups:
        temperature, humidity = groups["climate"]
        fields["temperature"] = round(175 * temperature / FULL - 45, 2)
        fields["humidity"] = round(100 * humidity / FULL, 2)
    if "pressure" in groups:
        fields["pressure"] = groups["pressure"][0] * 2
    if "light" in groups:
        fields["illuminance"] = lux(*groups["light"])
    if "co2" in groups:
        fields["co2"] = groups["co2"][0] - ZERO
    for name in ("motion", "tvoc"):
        if name in groups:
            fields[name] = groups[name][0]
    return fields


def lux(both: int, infrared: int) -> float:
    """Return the light that an eye sees, from the sensor's two channels."""
    return round(max(both - 1.64 * infrared, 0.59 * both - 0.86 * infrared, 0) * 1.5504, 1)


def split(payload: bytes) -> dict[str, tuple[int, ...]]:
    """Return the words of each group that is there."""
    if len(payload) < HEAD.size:
        raise PayloadError(f"expected at least {HEAD.size} bytes, got {len(payload)}")
    version, _, flags = HEAD.unpack_from(payload)
    if version != VERSION:
        raise PayloadError(f"expected protocol version {VERSION}, got {version}")
    if not 0 < flags < 1 << len(GROUPS):
        raise PayloadError(f"expected flags from 1 to {(1 << len(GROUPS)) - 1}, got {flags}")
    there = {name: count for bit, (name, count) in enumerate(GROUPS.items()) if flags >> bit & 1}
    size = HEAD.size + 2 * sum(there.values())
    if len(payload) != size:
        raise PayloadError(f"expected {size} bytes for the flags {flags}, got {len(payload)}")
    found: dict[str, tuple[int, ...]] = {}
    at = HEAD.size
    for name, count in there.items():
        found[name] = struct.unpack_from(f">{count}H", payload, at)
        at += 2 * count
    return found


PUBLISHED = "https://github.com/TheThingsNetwork/lorawan-devices, vendor/decentlab/dl-iam-codec.yaml"
ROOM = {
    "temperature": 27.68,
    "relativeHumidity": 0.3644,
    "atmosphericPressure": 964.12,
    "illuminance": 678.8,
}

connector = Connector(
    vendor="decentlab",
    devices=("dl-iam",),
    owner="@headrace",
    decode=decode,
    observations=(
        Observation(
            "IndoorEnvironmentObserved",
            {
                "temperature": Attribute("temperature", unit="degC"),
                "relativeHumidity": Attribute("humidity", unit="%"),
                "atmosphericPressure": Attribute("pressure", unit="Pa"),
                "illuminance": Attribute("illuminance", unit="lx"),
                "co2": Attribute("co2", unit="ppm"),
            },
        ),
        Observation("AirQualityObserved", {"volatileOrganicCompoundsTotal": Attribute("tvoc", unit="ppb")}),
    ),
    examples=(
        Example(
            "with carbon dioxide",
            hex="020bbd007f0b926a515d48bc4e0262006981c7000093d4000b0111",
            port=1,
            expect={
                "IndoorEnvironmentObserved": {**ROOM, "co2": 455.0},
                "AirQualityObserved": {"volatileOrganicCompoundsTotal": 273.0},
            },
            source=PUBLISHED,
        ),
        Example(
            "without carbon dioxide",
            hex="020bbd006f0b926a515d48bc4e02620069000b0111",
            port=1,
            expect={
                "IndoorEnvironmentObserved": ROOM,
                "AirQualityObserved": {"volatileOrganicCompoundsTotal": 273.0},
            },
            source=PUBLISHED,
        ),
        Example("the battery alone", hex="020bbd00010b92", port=1, expect={}, source=PUBLISHED),
        Example("cut within the words", hex="020bbd007f0b926a515d48", port=1, expect=PayloadError),
    ),
)

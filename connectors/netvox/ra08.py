"""Netvox RA08B and RA08D: the air of a room in four reports.

User manual, data report: https://manuals.online/netvox/security-sensor/ra08b-series/user-manual/ptw1. Eleven bytes,
big-endian: version, device type, report, battery, then the report's own. FFFF stands for what the model does not
measure. Each report is a reading of its own. Not mapped: ozone and carbon monoxide of report 4, whose unit was not
found in a published example, and formaldehyde.
"""

import struct
from typing import Any

from headrace import Attribute, Connector, Example, Observation, PayloadError, Uplink

SIZE = 11
VERSION, TYPE = 1, 0xA0
LOW_BATTERY = 0x80
ABOUT = 0  # the report of versions, when it joins
REPLY_PORT, ANSWER = 7, 0x80
CLIMATE = struct.Struct(">hHHB")  # temperature, humidity, carbon dioxide, occupied
AIR = struct.Struct(">HH3s")  # particles, volatile organic compounds
ABSENT = 0xFFFF


def decode(uplink: Uplink) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one report, or none of a reply to a command; pressure is in hectopascal."""
    payload = uplink.frame()
    if uplink.port == REPLY_PORT and payload[1:2] == bytes([TYPE]) and payload[0] & ANSWER:
        return []
    if len(payload) != SIZE:
        raise PayloadError(f"expected {SIZE} bytes, got {len(payload)}")
    version, kind, report, battery = payload[:4]
    if (version, kind) != (VERSION, TYPE):
        raise PayloadError(f"expected version 1 and device type a0, got {version} and {kind:02x}")
    if report == ABOUT:
        return {"firmware": f"{battery / 10}", "hardware": str(payload[4])}
    state = "low battery" if battery & LOW_BATTERY else "ok"
    found = {"state": state, **read(report, payload[4:])}
    return {name: value for name, value in found.items() if value is not None}


def read(report: int, data: bytes) -> dict[str, Any]:
    """Return the fields of one report, None for what the model does not measure."""
    match report:
        case 1:
            temperature, humidity, co2, occupied = CLIMATE.unpack(data)
            warm = None if data[:2] == b"\xff\xff" else temperature / 100
            damp = None if humidity == ABSENT else humidity / 100
            return {"temperature": warm, "humidity": damp, "co2": known(co2), "occupied": occupied}
        case 2:
            return {"pressure": int.from_bytes(data[:4], "big") / 100, "light": int.from_bytes(data[4:], "big")}
        case 3:
            pm2_5, pm10, tvoc = AIR.unpack(data)
            compounds = None if tvoc == b"\xff\xff\xff" else int.from_bytes(tvoc, "big")
            return {"pm2_5": known(pm2_5), "pm10": known(pm10), "tvoc": compounds}
        case 4:
            return {"formaldehyde": known(int.from_bytes(data[:2], "big"))}
        case 5:  # which thresholds were passed: nothing measured
            return {}
    raise PayloadError(f"expected report 0 to 5, got {report}")


def known(word: int) -> int | None:
    """Return a word, or None where the model does not measure it."""
    return None if word == ABSENT else word


REPORTS = "the layout of all of Netvox: github.com/TheThingsNetwork/lorawan-devices, vendor/netvox/payload/ra02a.js"
MANUAL = "RA08B series user manual, page 10, examples of uplinks"

connector = Connector(
    vendor="netvox",
    devices=("ra08b", "ra08d"),
    owner="@headrace",
    decode=decode,
    observations=(
        Observation(
            "IndoorEnvironmentObserved",
            {
                "temperature": Attribute("temperature", unit="degC"),
                "relativeHumidity": Attribute("humidity", unit="%"),
                "co2": Attribute("co2", unit="ppm"),
                "atmosphericPressure": Attribute("pressure", unit="hPa"),
                "illuminance": Attribute("light", unit="lx"),
            },
        ),
        Observation(
            "AirQualityObserved",
            {
                "pm25": Attribute("pm2_5", unit="ug/m3"),
                "pm10": Attribute("pm10", unit="ug/m3"),
                "volatileOrganicCompoundsTotal": Attribute("tvoc", unit="ppb"),
            },
        ),
    ),
    device={
        "deviceState": Attribute("state"),
        "firmwareVersion": Attribute("firmware"),
        "hardwareVersion": Attribute("hardware"),
    },
    examples=(
        Example(
            "report 1",
            hex="01a0019f097a151f020c01",
            expect={"IndoorEnvironmentObserved": {"temperature": 24.26, "relativeHumidity": 0.5407, "co2": 524.0}},
            source=MANUAL,
        ),
        Example(
            "report 2",
            hex="01a0029f0001870f000032",
            expect={"IndoorEnvironmentObserved": {"atmosphericPressure": 1001.11, "illuminance": 50.0}},
            source=MANUAL,
        ),
        Example(
            "report 3, without particles",
            hex="01a0039fffffffff000007",
            expect={
                "AirQualityObserved": {"volatileOrganicCompoundsTotal": 7.0},
                "Device": {"deviceState": "low battery"},
            },
            source=MANUAL,
        ),
        Example("cut", hex="01a0019f097a15", expect=PayloadError),
        Example(
            "thresholds, which are no reading",
            hex="01a0059f00000000000000",
            port=6,
            expect={"Device": {"deviceState": "low battery"}},
            source=f"{MANUAL}, with report 5",
        ),
        Example(
            "versions, when it joins",
            hex="01a0000a01202209150000",
            port=6,
            expect={"Device": {"firmwareVersion": "1.0", "hardwareVersion": "1"}},
            source=REPORTS,
        ),
        Example("a reply to new intervals", hex="81a0000000000000000000", port=7, expect=[], source=REPORTS),
        Example("an unknown report", hex="01a0099f00000000000000", port=6, expect=PayloadError),
    ),
)

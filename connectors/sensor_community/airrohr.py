"""Sensor.Community (luftdaten.info) airRohr station: particles, and what else its owner has built in.

Format: https://github.com/opendata-stuttgart/meta/wiki/EN-data-format-description. A list of names and values as texts;
the name begins with the sensor's. P0 are particles up to 1 micrometre, P2 up to 2.5, P4 up to 4, and P1 up to 10. A
station may have two thermometers; the one with a sensor's name is taken before the DHT22, which has none.
"""

import json
from math import isfinite
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

NAMES = {
    "P0": "pm1",
    "P1": "pm10",
    "P2": "pm2_5",
    "P4": "pm4",
    "temperature": "temperature",
    "humidity": "humidity",
    "pressure": "pressure",
}

MOST_VALUES = 200
"""A station with all its sensors sends some 30."""


def decode(uplink: Uplink) -> dict[str, Any]:
    """Return one reading; pressure is in pascal, `signal` in dBm."""
    station = uplink.json()
    if not isinstance(station, dict) or not isinstance(station.get("sensordatavalues"), list):
        raise PayloadError("expected an object with a list `sensordatavalues`")
    if len(station["sensordatavalues"]) > MOST_VALUES:
        raise PayloadError(f"expected at most {MOST_VALUES} values, got {len(station['sensordatavalues'])}")
    fields: dict[str, Any] = {}
    for entry in station["sensordatavalues"]:
        kind, number = pair(entry)
        _, underscore, quantity = kind.rpartition("_")
        if kind == "signal":
            fields["signal"] = number
        elif quantity in NAMES and (underscore or NAMES[quantity] not in fields):
            fields[NAMES[quantity]] = number
    firmware = station.get("software_version")
    return {**fields, "firmware": firmware} if isinstance(firmware, str) else fields


def pair(entry: object) -> tuple[str, float]:
    """Return the name and the number of one entry."""
    kind = entry.get("value_type") if isinstance(entry, dict) else None
    value = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not isinstance(value, str | int | float):
        raise PayloadError("expected a text as `value_type` and a number as `value` in each entry")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise PayloadError(f"expected a number in {kind[:40]}, got {json.dumps(value)[:40]}") from None
    if not isfinite(number):
        raise PayloadError(f"expected a finite number in {kind[:40]}, got {number}")
    return kind, number


WIKI = "https://github.com/opendata-stuttgart/meta/wiki/EN-data-format-description"
BAD = {"software_version": "NRZ-2020-133", "sensordatavalues": [{"value_type": "SDS_P1", "value": "unknown"}]}

connector = Connector(
    vendor="sensor-community",
    devices=("airrohr",),
    owner="@headrace",
    decode=decode,
    model="AirQualityObserved",
    attributes={
        "pm1": Attribute("pm1", unit="ug/m3"),
        "pm25": Attribute("pm2_5", unit="ug/m3"),
        "pm4": Attribute("pm4", unit="ug/m3"),
        "pm10": Attribute("pm10", unit="ug/m3"),
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
        "pressure": Attribute("pressure", unit="Pa"),
    },
    device={"rssi": Attribute("signal", unit="dBm"), "softwareVersion": Attribute("firmware")},
    examples=(
        Example(
            "SDS011 with two thermometers",
            text='{"software_version": "NRZ-2017-099", "age":"97", "sensordatavalues":['
            '{"value_type":"SDS_P1","value":"26.83"},{"value_type":"SDS_P2","value":"22.60"},'
            '{"value_type":"temperature","value":"19.00"},{"value_type":"humidity","value":"73.10"},'
            '{"value_type":"BME280_temperature","value":"21.53"},{"value_type":"BME280_humidity","value":"53.64"},'
            '{"value_type":"BME280_pressure","value":"97224.53"},{"value_type":"samples","value":"588824"},'
            '{"value_type":"min_micro","value":"243"},{"value_type":"max_micro","value":"27694"},'
            '{"value_type":"signal","value":"-50"}]}',
            expect={
                "pm10": 26.83,
                "pm25": 22.6,
                "temperature": 21.53,
                "relativeHumidity": 0.5364,
                "pressure": 972.2453,
            },
            source=WIKI,
        ),
        Example(
            "SPS30",
            text='{"software_version": "NRZ-2020-133", "age":"113", "sensordatavalues":['
            '{"value_type":"SPS30_P0","value":"1.17"},{"value_type":"SPS30_P2","value":"1.24"},'
            '{"value_type":"SPS30_P4","value":"1.25"},{"value_type":"SPS30_P1","value":"1.25"},'
            '{"value_type":"SPS30_N05","value":"8.02"},{"value_type":"SPS30_N1","value":"9.28"},'
            '{"value_type":"SPS30_N25","value":"9.32"},{"value_type":"SPS30_N4","value":"9.33"},'
            '{"value_type":"SPS30_N10","value":"9.33"},{"value_type":"SPS30_TS","value":"0.56"},'
            '{"value_type":"samples","value":"4964000"},{"value_type":"min_micro","value":"28"},'
            '{"value_type":"max_micro","value":"95420"},{"value_type":"interval","value":"145000"},'
            '{"value_type":"signal","value":"-46"}]}',
            expect={
                "AirQualityObserved": {"pm1": 1.17, "pm25": 1.24, "pm4": 1.25, "pm10": 1.25},
                "Device": {"rssi": -46.0, "softwareVersion": "NRZ-2020-133"},
            },
            source="https://github.com/lichtteil/local_luftdaten/issues/80",
        ),
        Example("a word for a number", json=BAD, expect=PayloadError),
        Example("cut", text='{"software_version": "NRZ-2020-133", "sens', expect=PayloadError),
    ),
)

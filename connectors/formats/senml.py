"""SenML, Sensor Measurement Lists in JSON (RFC 8428): resolved into one reading for each device and time.

A reading is `{"device": ..., "time": ..., "values": {...}, "units": {...}}`:

- device: the base name without a `:` or `/` at its end; or, without one, the name, if that is a URN.
- time: milliseconds since 1970. A time below 2^28 s counts from now (section 4.5.3), which is the time of arrival
  (`FromArrival`).
- values: by name; by the SenML unit where a record has no name beside the base name (section 5.1.3).
- units: by the same names, in the spelling of our units; a unit that we do not know stands as it came.
- sums: by the same names, where there are any (`s`).

Records of one name at several times are a time series, and several readings.
"""

import re
from math import isfinite
from typing import Any

from headrace import Fields, Format, FromArrival, PayloadError, Uplink
from pipeline.core.field_path import told
from pipeline.sdk.connector import MOST_READINGS, too_many

UNITS = {
    "Cel": "degC", "K": "K", "%RH": "%", "%EL": "%", "%": "%", "/": "1", "/100": "%", "ppm": "ppm", "ppb": "ppb",
    "Pa": "Pa", "hPa": "hPa", "kPa": "kPa", "ug/m3": "ug/m3", "m/s": "m/s", "km/h": "km/h", "mm/h": "mm/h",
    "m": "m", "mm": "mm", "cm": "cm", "km": "km", "m3": "m3", "l": "l", "m3/s": "m3/s", "l/s": "l/s", "rad": "rad",
    "lon": "deg", "lat": "deg", "deg": "deg", "kg": "kg", "g": "g", "s": "s", "ms": "ms", "min": "min", "h": "h",
    "Hz": "Hz", "MHz": "MHz", "lx": "lx", "lm": "lm", "cd/m2": "cd/m2", "W/m2": "W/m2", "dB": "dB", "dBm": "dBm",
    "V": "V", "mV": "mV", "A": "A", "mA": "mA", "W": "W", "kW": "kW", "VA": "VA", "kVA": "kVA", "var": "var",
    "kvar": "kvar", "Wh": "Wh", "kWh": "kWh", "kvarh": "kvarh", "J": "J", "Ah": "Ah", "S/m": "S/m", "pH": "pH",
    "count": "1",
}  # fmt: skip
"""SenML's units (the IANA registry; RFC 8798) in the spelling of pipeline/models/units.py."""

_VERSION = 10
_RELATIVE = 2.0**28  # seconds; below, a time counts from now
_LATEST = 253_402_300_800.0  # seconds; the year 10000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*", re.ASCII)
_LONGEST_NAME = 256  # characters; no device's name has as many, and each record is checked with its base name
MOST_RECORDS = 2_000
"""Records of one pack: two for each reading that a message may have."""

_Types = tuple[type, ...]
_NUMBER: _Types = (int, float)
_TEXT: _Types = (str,)
_TRUTH: _Types = (bool,)
_RIGHT: dict[str, _Types] = {
    **dict.fromkeys(("bt", "bv", "bs", "bver", "v", "s", "t", "ut"), _NUMBER),
    **dict.fromkeys(("bn", "bu", "n", "u", "vs", "vd"), _TEXT),
    "vb": _TRUTH,
}
_EXPECTED = {_NUMBER: "a number", _TEXT: "a text", _TRUTH: "true or false"}
_VALUES = ("v", "vs", "vb", "vd")
_BASES = ("bn", "bt", "bu", "bv", "bs")
_BASE = frozenset(_BASES)

Place = tuple[str | None, int]


def parse(payload: bytes, received_at: int) -> list[Fields]:
    """Return the readings, in the order of their first record.

    Raises:
        PayloadError: the payload is no SenML pack in JSON, or holds too many records (`too_expensive`).
    """
    pack = Uplink(payload).json()
    if not isinstance(pack, list) or not pack:
        raise PayloadError("expected a list of SenML records")
    if len(pack) > MOST_RECORDS:
        raise too_many(MOST_RECORDS, "records", len(pack))
    base: dict[str, Any] = {}
    readings: list[Fields] = []
    latest: dict[Place, dict[str, Any]] = {}
    names: set[str] = set()
    for number, record in enumerate(pack, 1):
        values = _check(record, number)
        if not _BASE.isdisjoint(record):
            base |= {name: record[name] for name in _BASES if name in record}
        if values or "s" in record:
            device, key = _named(base, record, number, names)
            place = device, _time(base, record, number, received_at)
            if not _joined(latest.get(place), key, base, record, number):
                new: dict[str, Any] = {"device": device, "time": place[1], "values": {}}
                latest[place] = new
                _joined(new, key, base, record, number)
                readings.append(new)
                if len(readings) > MOST_READINGS:
                    raise too_many(MOST_READINGS, "readings", len(readings))
    if not readings:
        raise PayloadError("expected a record with a value, got base fields only")
    return readings


def _check(record: Any, number: int) -> int:  # noqa: ANN401 - a payload holds anything
    """Return how many values a record has: one, or none."""
    if record.__class__ is not dict:
        raise PayloadError(f"expected an object as record {number}, got {told(record)}")
    for name, value in record.items():
        right = _RIGHT.get(name)
        if right is None:
            if name[-1:] == "_":
                raise PayloadError(
                    f"expected fields of RFC 8428 in record {number}, got {name[:40]!r}, a must-understand"
                )
        elif value.__class__ not in right:
            said = f"expected {_EXPECTED[right]} in {name} of record {number}"
            raise PayloadError(f"{said}, got {told(value)}")
    if record.get("bver", _VERSION) > _VERSION:
        raise PayloadError(f"expected SenML version {_VERSION} at most, got {record['bver']}")
    values = ("v" in record) + ("vs" in record) + ("vb" in record) + ("vd" in record)
    if values > 1:
        raise PayloadError(f"expected one value in record {number}, got several of {', '.join(_VALUES)}")
    return values


def _named(base: dict[str, Any], record: dict[str, Any], number: int, names: set[str]) -> tuple[str | None, str]:
    """Return the device of a record, and what its value is called. names: those that are known to be right."""
    start, name = base.get("bn", ""), record.get("n", "")
    if len(start) + len(name) > _LONGEST_NAME:
        length = len(start) + len(name)
        raise PayloadError(f"expected at most {_LONGEST_NAME} characters in bn and n of record {number}, got {length}")
    whole = start + name
    if whole not in names:
        if not _NAME.fullmatch(whole):
            raise PayloadError(
                f"expected a name of letters, digits and -:./_ in record {number} (bn and n), got {whole[:60]!r}"
            )
        names.add(whole)
    if not start and name.startswith("urn:"):
        start, name = name, ""
    return start.rstrip(":/") or None, name or record.get("u", base.get("bu")) or "value"


def _joined(
    reading: dict[str, Any] | None, key: str, base: dict[str, Any], record: dict[str, Any], number: int
) -> bool:
    """Join a record to the reading of its device and time, unless that has the name already."""
    sums = "s" in record
    if reading is None or key in reading["values"] or (sums and key in reading.get("sums", ())):
        return False
    if "v" in record:
        reading["values"][key] = _added(base, record, "v", number)
    else:
        for kind in ("vs", "vb", "vd"):
            if kind in record:
                reading["values"][key] = record[kind]
    if sums:
        reading.setdefault("sums", {})[key] = _added(base, record, "s", number)
    units = reading.setdefault("units", {})
    unit = record.get("u", base.get("bu"))
    if unit is not None:
        units[key] = UNITS.get(unit, unit)
    return True


def _added(base: dict[str, Any], record: dict[str, Any], name: str, number: int) -> float:
    start = base.get("b" + name)
    value: float = record[name] if start is None else record[name] + start
    if not isfinite(value):
        raise PayloadError(f"expected b{name} and {name} of record {number} to add up to a number, got {value}")
    return value


def _time(base: dict[str, Any], record: dict[str, Any], number: int, received_at: int) -> int:
    seconds = float(base.get("bt", 0)) + float(record.get("t", 0))
    if not -_RELATIVE < seconds < _LATEST:
        raise PayloadError(f"expected a time (bt and t) before the year 10000 in record {number}, got {seconds}")
    ms = round(seconds * 1000)
    return FromArrival(received_at + ms) if seconds < _RELATIVE else ms


FORMAT = Format("senml", parse)

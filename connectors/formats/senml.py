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
from pipeline.json_words import told

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
"""SenML's units (the IANA registry; RFC 8798) in the spelling of pipeline/units.py."""

_VERSION = 10
_RELATIVE = 2.0**28  # seconds; below, a time counts from now
_LATEST = 253_402_300_800.0  # seconds; the year 10000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*", re.ASCII)
_NUMBERS = ("bt", "bv", "bs", "bver", "v", "s", "t", "ut")
_TEXTS = ("bn", "bu", "n", "u", "vs", "vd")
_VALUES = ("v", "vs", "vb", "vd")


def parse(payload: bytes, received_at: int) -> list[Fields]:
    """Return the readings, in the order of their first record.

    Raises:
        PayloadError: the payload is no SenML pack in JSON.
    """
    pack = Uplink(payload).json()
    if not isinstance(pack, list) or not pack:
        raise PayloadError("expected a list of SenML records")
    base: dict[str, Any] = {}
    readings: list[Fields] = []
    latest: dict[tuple[str | None, int], dict[str, Any]] = {}
    for number, record in enumerate(pack, 1):
        _check(record, number)
        base |= {name: record[name] for name in ("bn", "bt", "bu", "bv", "bs") if name in record}
        if any(name in record for name in (*_VALUES, "s")):
            new = _resolved({**base, **record}, number, received_at)
            place = new["device"], new["time"]
            if not (place in latest and _joined(latest[place], new)):
                latest[place] = new
                readings.append(new)
    if not readings:
        raise PayloadError("expected a record with a value, got base fields only")
    return readings


def _check(record: Any, number: int) -> None:  # noqa: ANN401 - a payload holds anything
    if not isinstance(record, dict):
        raise PayloadError(f"expected an object as record {number}, got {told(record)}")
    for name, value in record.items():
        if name.endswith("_"):
            raise PayloadError(f"expected fields of RFC 8428 in record {number}, got {name[:40]!r}, a must-understand")
        if name in _NUMBERS and not _finite(value):
            raise PayloadError(f"expected a number in {name} of record {number}, got {told(value)}")
        if name in _TEXTS and not isinstance(value, str):
            raise PayloadError(f"expected a text in {name} of record {number}, got {told(value)}")
    if "vb" in record and not isinstance(record["vb"], bool):
        raise PayloadError(f"expected true or false in vb of record {number}, got {told(record['vb'])}")
    if record.get("bver", _VERSION) > _VERSION:
        raise PayloadError(f"expected SenML version {_VERSION} at most, got {record['bver']}")
    if sum(name in record for name in _VALUES) > 1:
        raise PayloadError(f"expected one value in record {number}, got several of {', '.join(_VALUES)}")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _resolved(record: dict[str, Any], number: int, received_at: int) -> dict[str, Any]:
    """Return a reading of one record; `record` has the base fields that hold for it."""
    base, name = record.get("bn", ""), record.get("n", "")
    if not _NAME.fullmatch(base + name):
        raise PayloadError(
            f"expected a name of letters, digits and -:./_ in record {number} (bn and n), got {(base + name)[:60]!r}"
        )
    unit = record.get("u", record.get("bu"))
    if not base and name.startswith("urn:"):
        base, name = name, ""
    key = name or unit or "value"
    resolved: dict[str, Any] = {"device": base.rstrip(":/") or None, "time": _time(record, number, received_at)}
    if "v" in record:
        resolved["values"] = {key: _added(record, "v", "bv", number)}
    else:
        others = [record[kind] for kind in ("vs", "vb", "vd") if kind in record]
        resolved["values"] = {key: others[0]} if others else {}
    if "s" in record:
        resolved["sums"] = {key: _added(record, "s", "bs", number)}
    resolved["units"] = {} if unit is None else {key: UNITS.get(unit, unit)}
    return resolved


def _added(record: dict[str, Any], name: str, base: str, number: int) -> float:
    value: float = record[name] + record[base] if base in record else record[name]
    if not _finite(value):
        raise PayloadError(f"expected {base} and {name} of record {number} to add up to a number, got {value}")
    return value


def _time(record: dict[str, Any], number: int, received_at: int) -> int:
    seconds = float(record.get("bt", 0)) + float(record.get("t", 0))
    if not -_RELATIVE < seconds < _LATEST:
        raise PayloadError(f"expected a time (bt and t) before the year 10000 in record {number}, got {seconds}")
    ms = round(seconds * 1000)
    return FromArrival(received_at + ms) if seconds < _RELATIVE else ms


def _joined(reading: dict[str, Any], new: dict[str, Any]) -> bool:
    """Join a record to the reading of its device and time, unless that has the name already."""
    parts = [part for part in ("values", "sums") if new.get(part)]
    if any(reading.get(part, {}).keys() & new[part].keys() for part in parts):
        return False
    for part in (*parts, "units"):
        reading.setdefault(part, {}).update(new[part])
    return True


FORMAT = Format("senml", parse)

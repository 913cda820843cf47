"""Messages that must not pass, each with the stage and the reason that it ends with.

The classes are those that a JSON parser of a careless program lets through or dies of: nesting, literals and numbers
beyond JSON, doubtful keys, broken text; and what is good JSON but no reading. Each is made so that the defect is in the
way: a number that is out of range names the device, or stands for every attribute.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.integration.worker_bench import READING

MEASURED = ("temperature", "humidity", "pm10", "pm25", "no2")
MAX_PAYLOAD = 1_000_000
TOO_MANY_DIGITS = "9" * 5000


@dataclass(frozen=True)
class Poison:
    """One payload, and what it ends with; `area` is the level of the topic below the tenant."""

    name: str
    payload: bytes
    reason: str
    stage: str = "decode"
    area: str = "aq"


def _reading(**raw: str) -> bytes:
    """Make a good reading in which some values are these very texts of JSON."""
    members = {name: json.dumps(value) for name, value in READING.items()} | raw
    return ("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}").encode()


def _every_attribute(text: str) -> bytes:
    return _reading(**dict.fromkeys(MEASURED, text))


def _humidity_alone(text: str) -> bytes:
    """Make a reading of the one attribute that the model bounds above; of others a huge number is only implausible."""
    members = {name: READING[name] for name in ("device", "ts", "lat", "lon")}
    return json.dumps(members)[:-1].encode() + f',"humidity":{text}}}'.encode()


def _without(*names: str) -> bytes:
    return json.dumps({name: value for name, value in READING.items() if name not in names}).encode()


def _doubtful_json() -> Iterator[Poison]:
    good = _reading()
    deep = "[" * 1023 + "]" * 1023  # with the object around it 1,024 levels, as many as orjson takes
    yield Poison("depth 1024", _reading(extra=deep), "too_deep")
    yield Poison("depth 33", _reading(extra="[" * 32 + "]" * 32), "too_deep")
    yield Poison("a million brackets", b"[" * MAX_PAYLOAD, "too_deep")
    yield Poison("NaN", _every_attribute("NaN"), "malformed")
    yield Poison("Infinity", _every_attribute("-Infinity"), "malformed")
    # orjson takes a number beyond a double for no JSON; json and pydantic would make it infinity.
    yield Poison("1e999", _every_attribute("1e999"), "malformed")
    yield Poison("1e308", _humidity_alone("1e308"), "out_of_bounds", "normalise")
    yield Poison("integer beyond 64 bits as the name", _reading(device=str(2**64 + 1)), "device_invalid")
    yield Poison("integer beyond 64 bits", _humidity_alone(str(2**64 + 1)), "out_of_bounds", "normalise")
    yield Poison("5,000 digits", _every_attribute(TOO_MANY_DIGITS), "malformed")
    yield Poison("5,000 digits as the name", _reading(device=TOO_MANY_DIGITS), "malformed")
    yield Poison("duplicate key", good[:-1] + b',"no2":1.0}', "duplicate_key")
    yield Poison("duplicate key, escaped", good[:-1] + b',"n\\u006f2":1.0}', "duplicate_key")
    yield Poison("duplicate key, deeper", _reading(extra='{"a":1,"a":2}'), "duplicate_key")
    yield Poison("bad UTF-8", good.replace(b"aq-0001", b"aq-\xff\xfe"), "malformed")
    yield Poison("lone surrogate", _reading(device='"\\ud800"'), "malformed")
    yield Poison("byte order mark", b"\xef\xbb\xbf" + good, "malformed")
    yield Poison("trailing text", good + b"{}", "malformed")
    yield Poison("NUL in the name", _reading(device='"aq\\u0000"'), "device_invalid")
    yield Poison("__proto__ alone", b'{"__proto__":{"device":"aq-0001","no2":1.0}}', "device_missing")


def _no_reading() -> Iterator[Poison]:
    yield Poison("wrong types", _every_attribute('"21.5"'), "out_of_bounds", "normalise")
    yield Poison("wrong type of the name", _reading(device="[1]"), "device_invalid")
    yield Poison("empty payload", b"", "malformed")
    yield Poison("an array", b"[1,2]", "not_an_object")
    yield Poison("a text", b'"NaN"', "not_an_object")
    yield Poison("null", b"null", "not_an_object")
    yield Poison("missing device", _without("device"), "device_missing")
    yield Poison("empty name", _reading(device='""'), "device_missing")
    yield Poison("0,0", _reading(lat="0", lon="0.0"), "location_invalid", "normalise")
    yield Poison("latitude beyond the pole", _reading(lat="91"), "location_invalid", "normalise")
    yield Poison("no location", _without("lat", "lon"), "location_missing", "normalise")
    yield Poison("no time", _without("ts"), "time_invalid", "normalise")
    yield Poison("a time beyond all years", _reading(ts="1e300"), "time_invalid", "normalise")
    yield Poison("nothing measured", _without(*MEASURED), "nothing_measured", "normalise")
    yield Poison("too long", _reading(extra=json.dumps("x" * MAX_PAYLOAD)), "payload_too_large")
    yield Poison("no route", _reading(), "no_route", "route", "noise")


POISONS: tuple[Poison, ...] = (*_doubtful_json(), *_no_reading())

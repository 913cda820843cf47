"""What is wrong with a few of the city's devices, and what becomes of their messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.demo.kinds import Reading

_TWO_HOURS: Final = 2 * 3600 * 1000


def sound(reading: Reading | bytes) -> bytes:
    """Encode a reading as it should be."""
    return reading if isinstance(reading, bytes) else orjson.dumps(reading)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be broken. kind: which devices; outcome: what to expect, for a person.

    spoil: makes the payload. topic: instead of the device's own. silent_after: so many messages, and then no more.
    """

    name: str
    kind: str
    outcome: str
    spoil: Callable[[Any], bytes] = sound
    topic: str | None = None
    silent_after: int | None = None


def _changed(**values: object) -> Callable[[Reading], bytes]:
    return lambda reading: orjson.dumps({**reading, **values})


def _fast_clock(reading: Reading) -> bytes:
    return orjson.dumps({**reading, "ts": reading["ts"] + _TWO_HOURS})


def _seconds(reading: Reading) -> bytes:
    return orjson.dumps({**reading, "ts": reading["ts"] // 1000})


def _cut(reading: Reading | bytes) -> bytes:
    whole = sound(reading)
    return whole[: len(whole) * 2 // 3]


def _not_a_number(reading: Reading) -> bytes:
    return orjson.dumps({**reading, "temperature": None}).replace(b"null", b"NaN")


def _twice(reading: Reading) -> bytes:
    return orjson.dumps(reading)[:-1] + b',"laeq":99.9}'


def _in_a_list(reading: Reading) -> bytes:
    return orjson.dumps([reading])


FAULTS: Final = (
    Fault("a clock two hours fast", "air-station", "published with the time of arrival, flagged `clock`", _fast_clock),
    Fault("seconds instead of milliseconds", "room", "published with the time of arrival, flagged `clock`", _seconds),
    Fault("a humidity of 6553.5 %", "weather-mast", "published without it, flagged", _changed(rh=6553.5)),
    Fault(
        "a dead sensor head",
        "air-box",
        "dead letter: out_of_bounds",
        _changed(pm={"p1": -999, "p2": -999}, env={"temp_f": "n/a"}),
    ),
    Fault("packets cut short", "air-box", "dead letter: malformed", _cut),
    Fault("NaN, which is no JSON", "air-station", "dead letter: malformed", _not_a_number),
    Fault("a key twice", "noise-meter", "dead letter: duplicate_key", _twice),
    Fault("a list around the reading", "room", "dead letter: not_an_object", _in_a_list),
    Fault("half a frame", "lora-mast", "dead letter: payload_error", _cut),
    Fault("no satellite in view", "bus", "dead letter: location_invalid", _changed(gps={"lat": 0.0, "lon": 0.0})),
    Fault("forgot its own name", "air-station", "dead letter: device_missing", _changed(device="")),
    Fault("nobody told us of lifts", "room", "dead letter: no_route", topic="city/lift/0001/state"),
    Fault("fell silent", "noise-meter", "nothing: no message, no record", silent_after=3),
)

"""What is wrong with a few of the city's devices, and what becomes of their messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason
from pipeline.demo.device import Reading
from pipeline.demo.node import Quirk
from pipeline.demo.outcome import Outcome, dead

_TWO_HOURS: Final = 2 * 3600 * 1000


def sound(reading: Reading | bytes) -> bytes:
    """Encode a reading as it should be."""
    return reading if isinstance(reading, bytes) else orjson.dumps(reading)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be broken. kind: which devices; outcome: what is to become of its messages.

    spoil: makes the payload. topic: instead of the device's own. silent_after: so many messages, and then no more.
    quirk: what is odd about the network that brings it.
    """

    name: str
    kind: str
    outcome: Outcome
    spoil: Callable[[Any], bytes] = sound
    topic: str | None = None
    silent_after: int | None = None
    quirk: Quirk | None = None


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


_CLOCK: Final = Outcome("published with the time of arrival, flagged `clock`")

FAULTS: Final = (
    Fault("a clock two hours fast", "air-station", _CLOCK, _fast_clock),
    Fault("seconds instead of milliseconds", "room", _CLOCK, _seconds),
    Fault("a humidity of 6553.5 %", "weather-mast", Outcome("published without it, flagged"), _changed(rh=6553.5)),
    Fault(
        "a dead sensor head",
        "air-box",
        dead(Reason.OUT_OF_BOUNDS),
        _changed(pm={"p1": -999, "p2": -999}, env={"temp_f": "n/a"}),
    ),
    Fault("packets cut short", "air-box", dead(Reason.MALFORMED), _cut),
    Fault("NaN, which is no JSON", "air-station", dead(Reason.MALFORMED), _not_a_number),
    Fault("a key twice", "noise-meter", dead(Reason.DUPLICATE_KEY), _twice),
    Fault("a list around the reading", "room", dead(Reason.NOT_AN_OBJECT), _in_a_list),
    Fault("half a frame", "lora-mast", dead(Reason.PAYLOAD_ERROR), _cut),
    Fault("no satellite in view", "bus", dead(Reason.LOCATION_INVALID), _changed(gps={"lat": 0.0, "lon": 0.0})),
    Fault("forgot its own name", "air-station", dead(Reason.DEVICE_MISSING), _changed(device="")),
    Fault("nobody told us of lifts", "room", dead(Reason.NO_ROUTE), topic="city/lift/0001/state"),
    Fault("fell silent", "noise-meter", Outcome("nothing: no message, no record"), silent_after=3),
    Fault("not in the registry", "cs-climate", dead(Reason.DEVICE_UNKNOWN), quirk=Quirk.UNKNOWN),
    Fault("its server has no AppSKey", "cs-room", dead(Reason.ENCRYPTED), quirk=Quirk.ENCRYPTED),
    Fault("its server's clock is fast", "tts-climate", _CLOCK, quirk=Quirk.FAST_SERVER),
    Fault("a wrong key in the registry", "raw-climate", dead(Reason.MIC_INVALID), quirk=Quirk.WRONG_KEY),
    Fault("last week's frames, replayed", "raw-room", dead(Reason.F_CNT_INVALID), quirk=Quirk.REPLAYED),
    Fault(
        "somebody else's device",
        "raw-climate",
        Outcome("filtered: counted as foreign, not recorded", Fate.FILTERED),
        quirk=Quirk.STRANGER,
    ),
    Fault(
        "collides with another frame",
        "raw-climate",
        Outcome("filtered: counted as crc_invalid", Fate.FILTERED),
        quirk=Quirk.COLLIDING,
    ),
    Fault(
        "asks to join, again and again",
        "raw-room",
        Outcome("device events: a network server must answer it"),
        quirk=Quirk.JOINING,
    ),
)

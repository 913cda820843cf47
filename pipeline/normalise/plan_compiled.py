"""Compiles a plan into the function that the hot path calls.

The function takes the reading in which all is as expected: every field there, of the right type, within likely bounds,
the clock right. Any other gets None, and `Plan.carefully` decides. One join makes the record's body, in 1.4 us
where a dict and orjson.dumps take 3.4; orjson writes the numbers, all at once, nearly three times as fast as repr. The
generated source holds only names made here; all texts and numbers of the config are bound as constants, so nothing that
a person typed is ever compiled.
"""

from __future__ import annotations

from functools import lru_cache
from math import isfinite
from types import CodeType
from typing import Any

import orjson

from pipeline.core import times
from pipeline.core.field_path import Path
from pipeline.core.record import Record
from pipeline.encode.encoder import MOMENT, VALUE, Template
from pipeline.encode.headers import RULE, TIME_START
from pipeline.models.units import Conversion
from pipeline.normalise.binding import MAX_AGE, AttributeRule, Position
from pipeline.normalise.entity import TIME_DIGITS, Fast, FastUplink, PlanSpec, StartsByDigits

AHEAD_MS = 300_000  # a device clock may be five minutes ahead of arrival
SWAPPED_DEGREES = 0.05  # some 5 km: how near a swapped pair must be to the place in the registry
_BY_TIME = (
    f"named = b'-%x' % ({RULE} + digest)",
    "subject, start, named_size = starts[len(key)]",
)
_BY_NETWORK = (
    "if uplink.dev_addr is None or uplink.f_cnt is None: named = uplink.id",
    "else: named = f'{uplink.dev_addr}-{uplink.f_cnt}-{uplink.port}{uplink.mark}'.encode()",  # `id`, without the call
    "if named is None: return None",
    "subject, start, named_size = starts[len(named)][len(key)]",
)
"""What tells a reading apart, and the headers up to there: the device's time and a digest, or the network's word."""
_KEPT_CONVERSIONS = 4096  # a sensor has few distinct values, and rounding to 12 digits costs half a microsecond


class _Converted(dict[float, float]):
    """Values as they are to be, by the values that came; one dict is looked up in half the time of an lru_cache."""

    def __init__(self, conversion: Conversion) -> None:
        super().__init__()
        self._apply = conversion.apply

    def __missing__(self, value: float) -> float:
        if len(self) >= _KEPT_CONVERSIONS:
            self.clear()
        converted = self[value] = self._apply(value)
        return converted


class _Source:
    """The function under construction: constants by name, lines, and the pieces of the entity in order."""

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {}
        self.reads: list[str] = []
        self.checks: list[str] = []
        self.pieces: list[str] = []
        self.numbers: list[str] = []
        self._text = b""

    def constant(self, value: Any) -> str:  # noqa: ANN401 - numbers, texts and functions
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def text(self, text: bytes) -> None:
        """Add text that is always the same; neighbours become one constant."""
        self._text += text

    def value(self, variable: str) -> None:
        """Add a variable that holds bytes."""
        if self._text:
            self.pieces.append(self.constant(self._text))
            self._text = b""
        self.pieces.append(variable)

    def number(self, variable: str) -> None:
        """Add a variable that holds a number."""
        self.numbers.append(variable)
        self.value(variable)

    def template(self, template: Template, value: str = "") -> None:
        """Add a piece as the encoder wrote it. value: the variable of an attribute's number."""
        for part in template:
            if isinstance(part, bytes):
                self.text(part)
            elif part == MOMENT:
                self.value("moment")
            else:
                self.number(value if part == VALUE else part)

    def read(self, path: Path, variable: str) -> None:
        steps = "".join(f"[{self.constant(step)}]" for step in path.steps)
        self.reads.append(f"{variable} = fields{steps}")

    def refuse_unless(self, condition: str) -> None:
        self.checks.append(f"if not ({condition}): return None")

    def check_bounds(self, variable: str, low: float, high: float) -> None:
        # A float that is no number fails every comparison; infinity fails only if it is compared with something finite.
        lowest = low if isfinite(low) else -1.7976931348623157e308
        highest = high if isfinite(high) else 1.7976931348623157e308
        self.refuse_unless(f"{self.constant(lowest)} <= {variable} <= {self.constant(highest)}")

    def function(self, spec: PlanSpec, starts: StartsByDigits, *, uplink: bool) -> Any:  # noqa: ANN401 - Fast or FastUplink
        """Compile what was added into a function."""
        end = self.constant(self._text + spec.headers_start())
        pieces = ", ".join(["OPENING", "key", "entity.head", *self.pieces, end])
        moment = "COLON" if uplink else "digits, MILLI_DIGITS[milli]"
        naming = f"subject, key, start, key[{spec.key_start}:], {moment}, named"
        numbers = ", ".join(self.numbers)
        written = f"{numbers}, = dumps([{numbers}])[1:-1].split(b',')" if numbers else "pass"
        steps = [*self.reads, *self.checks, written, *(_BY_NETWORK if uplink else _BY_TIME)]
        lines = [
            f"def fast(fields, entity, message, recorded, {'uplink' if uplink else 'digest'}):",
            "    try:",
            "        arrival, key = message[2], entity.key",  # by place: a third of the time
            *(f"        {line}" for line in steps),
            f"        body = join(({pieces}, {naming}, TIME_START, moment, recorded))",
            f"        size = len(body) - named_size - {spec.headers_size}",
            "        return new(Record, (entity, body, size, arrival, message))",
            "    except (KeyError, IndexError, TypeError, OverflowError):",
            "        return None",
        ]
        names: dict[str, Any] = {
            **self.constants,
            "COLON": b":",
            "MILLIS": times.MILLIS,
            "MILLI_DIGITS": times.MILLI_DIGITS,
            "OPENING": spec.encoder.opening,
            "Record": Record,
            "SECONDS": times.SECONDS,
            "TIME_START": TIME_START,
            "dumps": orjson.dumps,
            "join": b"".join,
            "new": tuple.__new__,  # a named tuple, made in a third of the time
            "second_texts": times.second_texts,
            "starts": starts if uplink else starts[TIME_DIGITS],
        }
        exec(_code("\n".join(lines)), names)  # noqa: S102 - see the module's docstring
        return names["fast"]


@lru_cache(maxsize=256)
def _code(text: str) -> CodeType:
    """Compile a text once: plans that differ in constants only, as those of many alike connectors, share it."""
    return compile(text, "<plan>", "exec")


def compile_fast(spec: PlanSpec, starts: StartsByDigits) -> Fast:
    """Return the fast path of a plan; one that declines everything where the plan is of an unusual kind."""
    source = _Source()
    fast: Fast = _compiled(source, spec, starts, uplink=False) if _own_time(source, spec) else _decline
    return fast


def compile_fast_uplink(spec: PlanSpec, starts: StartsByDigits) -> FastUplink:
    """Return the fast path of a plan for readings that have the network's time; it declines those with their own."""
    source = _Source()
    fast: FastUplink = _compiled(source, spec, starts, uplink=True) if _network_time(source, spec) else _decline
    return fast


def _compiled(source: _Source, spec: PlanSpec, starts: StartsByDigits, *, uplink: bool) -> Any:  # noqa: ANN401 - either
    if not _location(source, spec) or not any(slot.measured for slot in spec.slots):
        return _decline
    for number, (slot, template) in enumerate(spec.attributes):
        if not _attribute(source, slot, template, f"v{number}"):
            return _decline
    source.text(spec.tail)
    return source.function(spec, starts, uplink=uplink)


def _decline(*_: Any) -> None:  # noqa: ANN401 - the shape of any fast path
    return None


def _own_time(source: _Source, spec: PlanSpec) -> bool:
    observed = spec.binding.observed_at
    if observed is None or observed.format not in ("ms", "s") or len(spec.model.time) != 1:
        return False
    source.read(observed.path, "ms")
    source.checks.append("if ms.__class__ is not int: return None")
    if observed.format == "s":
        source.checks.append("ms *= 1000")
    _moment(source, spec, observed.max_age)
    return True


def _network_time(source: _Source, spec: PlanSpec) -> bool:
    observed = spec.binding.observed_at
    if len(spec.model.time) != 1:
        return False
    if observed is not None:
        if not observed.optional or len(observed.path.steps) != 1:
            return False
        source.checks.append(f"if {source.constant(observed.path.steps[0])} in fields: return None")
    source.reads.append("ms = uplink.received_at")
    _moment(source, spec, MAX_AGE if observed is None else observed.max_age)
    return True


def _moment(source: _Source, spec: PlanSpec, max_age: float) -> None:
    """Check the time in `ms`, and let the entity begin with it."""
    age = source.constant(max_age * 1000)
    source.refuse_unless(f"arrival - {age} <= ms <= arrival + {AHEAD_MS} and ms >= 1000000000000")
    source.checks += [
        "second = ms // 1000",
        "milli = ms - second * 1000",
        "text, digits = SECONDS.get(second) or second_texts(second)",
        "moment = text + MILLIS[milli]",
    ]
    source.template(spec.times)


def _location(source: _Source, spec: PlanSpec) -> bool:
    place, area = spec.binding.location, spec.area
    if not isinstance(place, Position):
        if spec.model.location_required:
            source.refuse_unless("entity.place")
        source.value("entity.place")
        return True
    if place.altitude is not None:
        return False
    source.read(place.longitude, "longitude")
    source.read(place.latitude, "latitude")
    for variable, low, high in (("longitude", area.west, area.east), ("latitude", area.south, area.north)):
        source.refuse_unless(f"{variable}.__class__ is float")
        source.check_bounds(variable, low, high)
    source.refuse_unless("longitude or latitude")
    # Only a pair that may be the registry's, swapped, is looked at closely.
    source.checks.append("at = entity.registered")
    near = f"-{SWAPPED_DEGREES} < longitude - at[1] < {SWAPPED_DEGREES}"
    source.checks.append(f"if at is not None and {near}: return None")
    source.template(spec.encoder.location(altitude=False, observed=True))
    return True


def _attribute(source: _Source, slot: AttributeRule, template: Template, variable: str) -> bool:
    if slot.kind not in ("number", "integer") or (slot.kind == "integer" and slot.conversion is not None):
        return False
    source.read(slot.path, variable)
    if slot.kind == "number":
        source.checks += [
            f"if {variable}.__class__ is not float:",
            f"    if {variable}.__class__ is not int: return None",
            f"    {variable} = float({variable})",
        ]
    else:
        source.refuse_unless(f"{variable}.__class__ is int")
    if slot.conversion is not None:
        source.checks.append(f"{variable} = {source.constant(_Converted(slot.conversion))}[{variable}]")
    source.check_bounds(variable, max(slot.low, slot.likely[0]), min(slot.high, slot.likely[1]))
    source.template(template, variable)
    return True

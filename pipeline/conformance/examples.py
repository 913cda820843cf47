"""Each example becomes what it says: attributes in canonical units through the real plan, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.build.connectors import Compiler
from pipeline.config.root import Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.core.delivery import Message
from pipeline.core.errors import ConfigError, PayloadError, Reason
from pipeline.core.field_path import Fields
from pipeline.core.record import DEVICE, DEVICE_MODEL, Record, decode_headers
from pipeline.encode import EntityView, Member, read
from pipeline.encode.headers import CONTENT_TYPE, QUALITY
from pipeline.models import MODELS
from pipeline.normalise.records import CompiledConnector, MessageRecords, listed
from pipeline.plugins.registry import ConnectorCatalogue, FoundConnector
from pipeline.sdk.connector import Example, Uplink

ARRIVAL = 1_795_000_000_000
"""When every payload on the bench arrives: November 2026."""
_ABOUT = {DEVICE, DEVICE_MODEL}
_CLOSE = 1e-9  # relative: values are rounded to twelve digits
_SHOWN = 300  # characters of a value that a fault quotes
_PLACE = [4.8952, 52.3702]
_FEED: Mapping[str, Any] = {
    "kind": "mqtt",
    "url": "mqtt://127.0.0.1",
    "client_id": "bench",
    "subscribe": ["#"],
    "routes": [{"topic": "#", "ignore": True}],
}


@dataclass(frozen=True, slots=True)
class ExampleFault:
    """One thing that is wrong. where: `file:line`; check: which proof failed; message: expected and got."""

    where: str
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}  {self.check}: {self.message}"


class Bench:
    """One connector; each `fan` knows no device yet. kept: one for payloads that are only tried."""

    def __init__(self, found: FoundConnector) -> None:
        self.found = found
        self.connector = found.connector
        used: dict[str, Any] = {"use": found.names[0], "device": {"topic": "device"}, "max_age": "36500d"}
        if self.connector.place is None:
            used["location"] = _PLACE
        if not all(each.period for each in self.connector.observed()):
            used["period"] = "10min"
        whole = {
            "tenant": "bench",
            "kafka": {"bootstrap_servers": ["127.0.0.1:9092"]},
            "feeds": {"bench": _FEED},
            "connectors": {"bench": used},
        }
        self._config = Config.model_validate(whole, context={"registry": ConnectorCatalogue([found])})

        self.kept = self.fan()

    @property
    def models(self) -> list[str]:
        """The models of the observations, and the Device's if there is one."""
        return [name for name in self._config.connectors["bench"].models if name in MODELS]

    def fan(self) -> CompiledConnector:
        """Return the connector with its plans, new."""
        used = self._config.connectors["bench"]
        if not isinstance(used, UsedConnectorConfig):
            raise ConfigError("The bench holds vendors' connectors only.")
        return Compiler(self._config, "bench").fan(used)


def uplink(payload: bytes, port: int | None) -> Uplink:
    """Return a payload as it comes to the connector."""
    return Uplink(payload, port, received_at=ARRIVAL)


def outcome(fan: CompiledConnector, reading: Fields, payload: bytes) -> MessageRecords:
    """Return what becomes of one reading of a payload."""
    return fan.records([reading], Message("bench/device", payload, ARRIVAL), lambda _topic, _fields: "device")


def is_bad(example: Example) -> bool:
    """Say whether an example is a payload that must be refused."""
    return isinstance(example.expect, type)


def faults(bench: Bench, example: Example) -> Iterator[ExampleFault]:
    """Yield what one example does not become though it says so."""
    where = f"{bench.found.file}:{bench.found.examples.get(example.name, bench.found.line)}"
    for message in _messages(bench, example):
        yield ExampleFault(where, f"example {example.name!r}", message)


def _messages(bench: Bench, example: Example) -> Iterator[str]:
    fan = bench.fan()
    payload = example.payload()
    try:
        readings = listed(fan.decoded(uplink(payload, example.port)))
    except PayloadError as refusal:
        if not is_bad(example) or refusal.reason is Reason.CONNECTOR_FAILED:
            yield f"expected {_wanted(example)}, got {refusal.reason.value}: {refusal}"
        return
    outcomes = [outcome(fan, reading, payload) for reading in readings]
    if is_bad(example):
        if not any(each.refusal for each in outcomes):
            yield f"expected PayloadError, got {_shown(readings)}"
        return
    if example.decoded is not None:
        yield from _decoded(example, readings)
    if example.expect or example.decoded is None:
        yield from _readings(bench, example, outcomes)


def _wanted(example: Example) -> str:
    return "PayloadError" if is_bad(example) else _shown(example.expect or example.decoded or "nothing refused")


def _decoded(example: Example, readings: Sequence[Fields]) -> Iterator[str]:
    wanted = [example.decoded] if isinstance(example.decoded, Mapping) else list(example.decoded or ())
    if not _same(wanted, list(readings)):
        yield f"expected {_shown(wanted)} decoded, got {_shown(list(readings))}"


def _readings(bench: Bench, example: Example, outcomes: Sequence[MessageRecords]) -> Iterator[str]:
    expect = example.expect
    wanted: list[Any] = list(expect) if isinstance(expect, Sequence) else [expect]
    if len(wanted) != len(outcomes):
        yield f"expected {len(wanted)} reading(s), got {len(outcomes)}"
        return
    for number, (want, got) in enumerate(zip(wanted, outcomes, strict=True), 1):
        prefix = f"reading {number}: " if len(wanted) > 1 else ""
        for message in _reading(bench, want, got):
            yield prefix + message


def _reading(bench: Bench, want: Mapping[str, Any], got: MessageRecords) -> Iterator[str]:
    if got.refusal is not None and (want or got.refusal.reason is not Reason.NOTHING_MEASURED):
        yield f"expected {_shown(want)}, got {got.refusal.reason.value}: {got.refusal}"
        return
    observed = [model for model in bench.models if model not in _ABOUT]
    by_model = bool(want) and set(want) <= set(bench.models)
    if want and not by_model and len(observed) > 1:
        yield f"expected attributes by model ({', '.join(observed)}), got {_shown(sorted(want))}"
        return
    wanted: Mapping[str, Any] = want if by_model else {observed[0]: want}
    entities = {entity.type: (entity.members, flags) for entity, flags in map(_entity, got.records)}
    for model in (*observed, *({DEVICE} & wanted.keys())):
        members, flags = entities.get(model, ((), ""))
        yield from _attributes(model, wanted.get(model, {}), members, flags)


def _entity(record: Record) -> tuple[EntityView, str]:
    headers = dict(decode_headers(record.headers))
    quality = headers.get(QUALITY, b"").decode()
    entity = read(headers[CONTENT_TYPE].decode(), orjson.loads(record.value))
    return entity, f" ({quality})" if quality else ""


def _attributes(model: str, want: Mapping[str, Any], members: Sequence[Member], flags: str) -> Iterator[str]:
    ours = {attribute.name for attribute in MODELS[model].attributes}
    got = {each.name: each.value for each in members if each.name in ours or each.name in want}
    units = {each.name: each.unit for each in members}
    for name in want:
        if name not in got:
            yield f"expected {name} {want[name]!r}, got none{flags}"
        elif not _same(want[name], got[name]):
            unit = units[name]
            yield f"expected {name} {want[name]!r}, got {got[name]!r}{f' ({unit})' if unit else ''}{flags}"
    for name in sorted(got.keys() - want.keys()):
        yield f"expected no {name}, got {got[name]!r}: add it to `expect`, or do not map it"


def _same(want: Any, got: Any) -> bool:  # noqa: ANN401
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, int | float) and isinstance(got, int | float):
        return math.isclose(want, got, rel_tol=_CLOSE, abs_tol=1e-12)
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        return want.keys() == got.keys() and all(_same(want[key], got[key]) for key in want)
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        return len(want) == len(got) and all(map(_same, want, got))
    return bool(want == got)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

"""`headrace check`: what is wrong with a configuration, or else what it will do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.build.connectors import location, observed_at
from pipeline.build.options import all_topics
from pipeline.config import Loaded, judge_connectors, judge_inline
from pipeline.config.connectors import AttributeSourceConfig, InlineConnectorConfig
from pipeline.config.feeds import (
    AUTO,
    DeduplicateConfig,
    FeedConfig,
    FramePolicyConfig,
    chosen,
)
from pipeline.config.findings import Finding, Place
from pipeline.config.root import AnyConnector, Config, StreamConfig
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.config.values import Section, spell_seconds
from pipeline.core.files import HANDMADE, content_and_mode
from pipeline.core.record import DEVICE
from pipeline.encode import FORMS, Form
from pipeline.models import MODELS
from pipeline.models.base import ModelAttribute
from pipeline.models.units import Conversion
from pipeline.normalise.binding import Fixed
from pipeline.sdk.connector import Attribute

DEVICE_OF = "the DevEUI that the network tells, or its key in the registry"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Listening:
    """One feed.

    Attributes:
        source: Where the feed listens.
        frames: What becomes of raw frames; empty where a server sends uplinks.
        connectors: Number of registered devices of each connector.
        others: What becomes of devices without a connector, and of devices outside the registry.
    """

    feed: str
    dialect: str
    source: str
    frames: tuple[str, ...]
    connectors: Mapping[str, int]
    others: str
    prefer: str | None
    events: str


def listenings(config: Config) -> list[Listening]:
    """Return what each feed with a dialect will do."""
    counted = Counter(device.connector for device in config.registered if device.connector is not None)
    return [
        Listening(
            feed=name,
            dialect=str(feed.dialect),
            source=feed.listening,
            frames=tuple(_frames(config, feed)) if feed.brings_frames else (),
            connectors=dict(sorted(counted.items())),
            others=_others(config),
            prefer=feed.prefer,
            events=config.device_events_topic,
        )
        for name, feed in config.feeds.items()
        if feed.dialect is not None
    ]


def lines(said: Listening) -> Iterator[str]:
    """Yield the same for a person."""
    yield f"{said.feed}: dialect {said.dialect}{f' ({_auto()})' if said.dialect == AUTO else ''}"
    yield f"    from      {said.source}"
    yield from (f"    frames    {each}" for each in said.frames)
    named = list(said.connectors.items())
    for name, count in named[:_SHOWN]:
        yield f"    devices   {count:,} with {name}"
    if len(named) > _SHOWN:
        yield f"    devices   and {len(named) - _SHOWN} connectors more"
    yield f"    others    {said.others}"
    if said.prefer is not None:
        yield f"    prefer    {said.prefer}, where a device is heard through a server and raw"
    yield f"    events    joins, status and their equals -> {said.events}"


def registered_connectors(config: Config) -> dict[str, UsedConnectorConfig]:
    """Return the vendors' connectors that devices of the registry name, and that have no entry under `connectors`."""
    if not config.networked:
        return {}
    named = dict.fromkeys(device.connector for device in config.registered if device.connector is not None)
    found = {name: judge_connectors.alone(name, config.found) for name in named if name not in config.connectors}
    return {name: used for name, used in found.items() if used is not None}


def decoding_networks(config: Config, names: Iterable[str]) -> set[str]:
    """Return which of the connectors decode what networks bring: no route leads to them."""
    routed = {route.connector for feed in config.feeds.values() for route in feed.routes}
    return set(names) - routed if config.networked else set()


def _frames(config: Config, feed: FeedConfig) -> Iterator[str]:
    with_sessions = sum(bool(device.sessions) for device in config.registered)
    yield f"those of {with_sessions:,} with session keys are decrypted; Headrace sends no downlink"
    yield f"copies of other gateways are waited for {spell_seconds((feed.deduplicate or DeduplicateConfig()).window)}"
    policy = feed.frames or FramePolicyConfig()
    for what, fate in (("of unknown DevAddr", policy.unknown), ("with a wrong MIC", policy.wrong_mic)):
        yield f"those {what}: {_FATES[fate]}"
    replays = "taken for a device that was reset" if policy.reset == "accept" else _FATES[policy.replay]
    yield f"those whose counter went back: {replays}"


def _others(config: Config) -> str:
    if not config.accepts_unknown:
        return "become dead letters (device_unknown, connector_unknown)"
    there = len(config.connectors) + len(config.found.names)
    return f"are accepted, if the server's tag, brand and model, or device profile names one of {there} connectors"


def _auto() -> str:
    return f"one of {len(chosen(AUTO))}, recognised by shape"


_FATES = {"filter": "filtered, counted", "dead_letter": "dead letters"}


_ADDED = "  (by `attributes` of this file)"
_EXAMPLES = {"P1": 45.2, "C62": 0.452, "FAH": 68.0, "KEL": 294.65, "PAL": 101_325.0, "59": 420.0, "61": 31.5}
"""Numbers that look like readings of their unit; others show 21.5."""
_OWNER_AND_GROUP = 0o640
_ARRIVAL = "arrival"
_ONCE = "; a message sent twice cannot be recognised"


@dataclass(frozen=True, slots=True)
class ConnectorUse:
    """What one connector will do.

    Attributes:
        topic: Where its records go.
        form: What their values are: `normalised`, `concise` or `flat`.
        attributes: One line each.
        formats: What its routes say that payloads are.
    """

    connector: str
    model: str
    topic: str
    form: Form
    device: str
    time: str
    location: str
    attributes: tuple[str, ...]
    formats: tuple[str, ...]


def uses(config: Config) -> list[ConnectorUse]:
    """Return what each connector will do."""
    named = {**config.connectors, **registered_connectors(config)}
    heard, formats = decoding_networks(config, named), _formats(config)
    return [
        ConnectorUse(
            connector=name,
            model=model,
            topic=config.topic(model),
            form=config.stream(model).format,
            device=DEVICE_OF if name in heard else _device(connector),
            time=_time(connector, period, "when the network heard it" if name in heard else _ARRIVAL),
            location="none" if model == DEVICE else _location(connector, registry=bool(config.devices)),
            attributes=tuple(_lines(model, attributes, connector)),
            formats=tuple(formats.get(name, ())),
        )
        for name, connector in named.items()
        for model, attributes, period in _observations(connector)
    ]


def topics(config: Config) -> list[str]:
    """Return every topic that will be written to, the dead letters' last."""
    return [*sorted(all_topics(config) - {config.dead_letter_topic}), config.dead_letter_topic]


def files(config: Config) -> list[Finding]:
    """Return what is wrong with the files that are named: unreadable (an error), open to all (a warning)."""
    return [finding for place, path in _files(config, ()) for finding in _file(place, path)]


def text(loaded: Loaded) -> str:
    """Return the report for a person: what will happen, by connector, and the topics."""
    said: list[str] = []
    for listening in listenings(loaded.config):
        said += [*lines(listening), ""]
    for use in uses(loaded.config):
        form = "" if use.form == StreamConfig().format else f", {use.form} ({FORMS[use.form].content_type})"
        said += [f"{use.connector}: {use.model} -> {use.topic}{form}"]
        said += [f"    device    {use.device}", f"    time      {use.time}", f"    location  {use.location}"]
        said += [f"    format    {', '.join(use.formats)}"] if use.formats else []
        said += [f"    {attribute}" for attribute in use.attributes]
        said.append("")
    told = registered(loaded)
    if told is not None:
        said += [_registry(told), ""]
    said.append(f"writes: {', '.join(topics(loaded.config))}")
    return "\n".join(said)


@dataclass(frozen=True, slots=True)
class Registered:
    """The device registry in numbers.

    Attributes:
        unknown: What becomes of devices outside the registry.
    """

    file: str
    devices: int
    with_dev_eui: int
    with_sessions: int
    without_location: int
    unknown: str


def registered(loaded: Loaded) -> Registered | None:
    """Return what the device registry holds, or None without one."""
    config, devices = loaded.config, loaded.devices
    if config.devices is None:
        return None
    return Registered(
        file=config.devices,
        devices=len(devices),
        with_dev_eui=sum(device.dev_eui is not None for device in devices),
        with_sessions=sum(bool(device.sessions) for device in devices),
        without_location=sum(device.location is None for device in devices),
        unknown="accept" if config.accepts_unknown else "dead_letter",
    )


def _registry(told: Registered) -> str:
    counts = f"{told.devices:,} ({told.with_dev_eui:,} with a DevEUI, {told.with_sessions:,} with sessions,"
    unknown = "are accepted" if told.unknown == "accept" else "become dead letters"
    return f"devices: {counts} {told.without_location:,} without location) in {told.file}; others {unknown}"


def _lines(model: str, attributes: Mapping[str, AttributeSourceConfig], connector: AnyConnector) -> Iterator[str]:
    added = connector.attributes if isinstance(connector, UsedConnectorConfig) else {}
    for key, source, conversion in judge_inline.conversions(attributes, MODELS[model]):
        line = _line(source.field, MODELS[model].attribute(key), conversion)
        yield f"{line}{_ADDED}" if key in added else line


def _formats(config: Config) -> dict[str, dict[str, None]]:
    """Return the formats that the routes to each connector name, in their order."""
    formats: dict[str, dict[str, None]] = {}
    for route in (route for feed in config.feeds.values() for route in feed.routes):
        if route.connector is not None and route.format is not None:
            formats.setdefault(route.connector, {})[route.format] = None
    return formats


def _observations(connector: AnyConnector) -> Iterator[tuple[str, Mapping[str, AttributeSourceConfig], float | None]]:
    """Yield each model that a connector makes, with its attributes and the period that a reading covers."""
    if isinstance(connector, InlineConnectorConfig):
        yield connector.model, connector.attributes, connector.period
        return
    declared = judge_connectors.declared(connector)
    for each in declared.observed():
        period = judge_connectors.period(connector, each, MODELS[each.model])
        yield each.model, _sources(each.attributes), period
    if declared.device:
        yield DEVICE, _sources(declared.device), None


def _sources(attributes: Mapping[str, Attribute]) -> dict[str, AttributeSourceConfig]:
    return {name: AttributeSourceConfig(field=each.field, unit=each.unit) for name, each in attributes.items()}


def _line(field: str, attribute: ModelAttribute | None, conversion: Conversion | None) -> str:
    """Write `humidity 45.2 % -> relativeHumidity 0.452 (C62)`."""
    if attribute is None:
        return field
    if conversion is None:
        return f"{field} -> {attribute.name} ({attribute.kind})"
    value = _example(conversion, attribute)
    made: float = conversion.apply(value)
    shown = str(round(made)) if attribute.kind == "integer" else repr(made)
    return f"{field} {value:g} {conversion.source.symbol} -> {attribute.name} {shown} ({conversion.target.code})"


def _example(conversion: Conversion, attribute: ModelAttribute) -> float:
    value = _EXAMPLES.get(conversion.source.code, 21.5)
    return round(value) if attribute.kind == "integer" else value


def _device(connector: AnyConnector) -> str:
    source = connector.device
    if source is None:
        return DEVICE_OF
    return f"field {source.field}" if source.field else f"topic level {{{source.topic}}}"


def _time(connector: AnyConnector, period: float | None, without: str) -> str:
    covers = f", and the {spell_seconds(period)} before it" if period else ""
    source = observed_at(connector)
    if source is None:
        return f"{without}{covers}" + (_ONCE if without == _ARRIVAL else "")
    return f"field {source.path.text} ({source.format}){covers}"


def _location(connector: AnyConnector, *, registry: bool) -> str:
    source = location(connector)
    if source is None:
        return "the registry's, where it has one" if registry else "none"
    if isinstance(source, Fixed):
        return f"always {list(source.coordinates)}"
    altitude = f", {source.altitude.text}" if source.altitude else ""
    return f"fields {source.longitude.text}, {source.latitude.text}{altitude}"


def _files(value: object, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, Section):
        for key in type(value).model_fields:
            yield from _files(getattr(value, key), (*place, key))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _files(each, (*place, key))
    elif isinstance(value, str) and place and str(place[-1]).endswith("_file"):
        yield place, value


def _file(place: Place, path: str) -> Iterator[Finding]:
    try:
        held, mode = content_and_mode(path, HANDMADE)
    except OSError as problem:
        yield Finding(
            place, f"`{path}` cannot be read: {problem.strerror}.", "Mend the path or the file's permissions."
        )
        return
    if not held:
        yield Finding(place, f"`{path}` is empty.", "Write what belongs into it.")
    private = not str(place[-1]).startswith(("ca_", "cert_"))
    if private and mode & ~_OWNER_AND_GROUP:
        said = f"`{path}` holds a secret, and more people than its owner and group may use it (mode {mode:04o})."
        yield Finding(place, said, f"chmod 0640 {path}", severity="warning")

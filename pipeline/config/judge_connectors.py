"""Connectors of vendors, held against what the configuration says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from pipeline.config import extended
from pipeline.config.connectors import AttributeSourceConfig
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, sentence, shown
from pipeline.config.judge_inline import judge_attribute
from pipeline.config.root import Config
from pipeline.config.used_connectors import PayloadSourceConfig, UsedConnectorConfig
from pipeline.config.values import VENDOR_NAME, field_path
from pipeline.core.errors import ConfigError
from pipeline.core.record import DEVICE
from pipeline.core.times import SCALES
from pipeline.models import MODELS
from pipeline.models.base import Model
from pipeline.models.device import WORDS
from pipeline.plugins.registry import ConnectorCatalogue
from pipeline.sdk.connector import Attribute, Connector, Example, Observation

_NAME = re.compile(VENDOR_NAME)
FROM_OTHERS = {"controlledProperty"}
"""Required attributes that follow from the declaration itself."""


def faults(connector: Connector, models: Mapping[str, Model] = MODELS) -> Iterator[str]:
    """Yield everything that makes a connector unusable, a sentence each."""
    try:
        for finding in _findings(connector, models):
            yield sentence(str(finding))
    except (AttributeError, TypeError, ValueError) as error:  # a part is of a type that the surface does not have
        yield f"The declaration is not as `Connector` says: {type(error).__name__}: {error}."


def _findings(connector: Connector, models: Mapping[str, Model]) -> Iterator[Finding]:
    yield from _identity(connector)
    observed = connector.observed()
    if not observed:
        yield Finding(("model",), "is missing: nothing says which model the fields are.", "Give `model`.")
    names = [each.model for each in observed]
    for twice in {name for name in names if names.count(name) > 1}:
        yield Finding(("observations",), f"make two entities of {twice}, which would have one id.", "Keep one.")
    for each in observed:
        yield from _observation(each, models)
    if connector.device and DEVICE in models:
        yield from _attributes(("device",), connector.device, models[DEVICE])
    for word in connector.controls:
        if word not in WORDS:
            meant = did_you_mean(str(word), WORDS)
            fix = f"Did you mean `{meant}`?" if meant else f"There is {one_of(sorted(WORDS))}."
            yield Finding(("controls",), f"`{word}` is no word of the Device's schema.", fix)
    yield from _paths(connector)
    yield from _examples(connector.examples)


def _identity(connector: Connector) -> Iterator[Finding]:
    devices: Any = connector.devices  # what a vendor wrote may be of any type
    if isinstance(devices, str) or not devices:
        yield Finding(("devices",), f"expected a tuple of names, got {devices!r}.", 'Write `devices=("th-1",)`.')
        devices = ()
    for place, name in [("vendor", connector.vendor), *(("devices", device) for device in devices)]:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield Finding((place,), f"expected lower-case letters, digits and dashes, got {name!r}.")
    decode: Any = connector.decode
    if not callable(decode):
        yield Finding(("decode",), f"expected a function, got {type(decode).__name__}.")
    if not isinstance(connector.version, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", connector.version):
        said = f"expected up to 40 of letters, digits, `.`, `_` and `-`, got {connector.version!r}."
        yield Finding(("version",), said)


def _observation(observation: Observation, models: Mapping[str, Model]) -> Iterator[Finding]:
    model = models.get(observation.model)
    if model is None:
        meant = did_you_mean(str(observation.model), models)
        fix = f"Did you mean `{meant}`?" if meant else f"There is {one_of(sorted(models))}."
        yield Finding(("model",), f"`{observation.model}` is no model that Headrace knows.", fix)
        return
    place: Place = ("attributes",)
    if not observation.attributes:
        yield Finding(place, f"is empty: nothing of {model.name} would be published.")
    yield from _attributes(place, observation.attributes, model)
    for name in sorted({*model.required} - {*observation.attributes} - FROM_OTHERS):
        yield Finding((*place, name), f"is required by {model.name}, and nothing supplies it.")
    if observation.period is not None and not model.covers:
        yield Finding(("period",), f"means nothing here; a {model.name} has {one_of(model.time)}.")


def _attributes(place: Place, attributes: Mapping[str, Attribute], model: Model) -> Iterator[Finding]:
    for name, attribute in attributes.items():
        here = (*place, name)
        try:
            source = AttributeSourceConfig(field=attribute.field, unit=attribute.unit)
        except ValidationError as problem:
            for error in problem.errors(include_url=False):
                yield Finding((*here, *map(str, error["loc"])), f"{error['input']!r} cannot be used: {error['msg']}.")
        else:
            yield from judge_attribute(here, name, source, model)


def _paths(connector: Connector) -> Iterator[Finding]:
    paths: list[tuple[Place, str]] = []
    if connector.time is not None:
        paths.append((("time", "field"), connector.time.field))
        if connector.time.unit not in {"iso", *SCALES}:
            yield Finding(("time", "unit"), f"expected {one_of(['iso', *SCALES])}, got {connector.time.unit!r}.")
    place = connector.place
    if place is not None:
        every = {"longitude": place.longitude, "latitude": place.latitude, "altitude": place.altitude}
        paths += [(("place", name), text) for name, text in every.items() if text is not None]
    for where, text in paths:
        try:
            field_path(text)
        except ValueError as problem:
            yield Finding(where, f"{text!r} {problem}.")


def _examples(examples: tuple[Example, ...]) -> Iterator[Finding]:
    names = [example.name for example in examples]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        yield Finding(("examples",), f"two have the name {twice!r}.", "Say what each shows.")
    for example in examples:
        try:
            example.payload()
        except ValueError as problem:
            yield Finding(("examples",), sentence(str(problem)))


_SHOWN = 12


def judge_used(
    name: str,
    config: UsedConnectorConfig,
    registry: ConnectorCatalogue,
    models: Mapping[str, Model],
    supplied: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    """Yield everything that is wrong with an entry that names a vendor's connector.

    supplied: what devices of the registry supply that have this connector: `location`, or attributes.
    """
    place: Place = ("connectors", name)
    if config.port is not None and not isinstance(config.payload, PayloadSourceConfig):
        fix = "Write `payload: {field: data, encoding: base64}` with the field of the bytes, or remove it."
        yield Finding((*place, "port"), "means nothing: only JSON that wraps the payload can hold it.", fix)
    connector = config.connector
    if connector is None:
        yield _absent((*place, "use"), config.use, registry)
        return
    yield from (each for each in _added(name, config) if each.severity == "error")
    if config.location is None and connector.place is None and "location" not in supplied:
        needy = [each.model for each in connector.observed() if models[each.model].location_required]
        if needy:
            said = f"is required by {' and '.join(needy)}, and `{config.use}` does not send it."
            fix = "Add `location: [lon, lat]`, where the devices stand, or the fields that say so."
            yield Finding((*place, "location"), said, fix)
    yield from _used_period(place, config, models)


def _added(name: str, config: UsedConnectorConfig) -> Iterator[Finding]:
    if config.vendors_own is not None:
        yield from extended.judge(("connectors", name, "attributes"), config.vendors_own, config.attributes)


def doubts(config: Config) -> Iterator[Finding]:
    """Yield a warning for each attribute whose field no example of its connector shows, but a payload may have."""
    for name, used in config.connectors.items():
        if isinstance(used, UsedConnectorConfig):
            yield from (each for each in _added(name, used) if each.severity == "warning")


def _used_period(place: Place, config: UsedConnectorConfig, models: Mapping[str, Model]) -> Iterator[Finding]:
    observed = declared(config).observed()
    covering = [each for each in observed if models[each.model].covers]
    if config.period is not None and not covering:
        names = " and ".join(each.model for each in observed)
        said = f"means nothing here: `{config.use}` makes {names}, which has no beginning and end."
        yield Finding((*place, "period"), said, "Remove it.")
    needy = [each.model for each in covering if each.period is None]
    if needy and config.period is None:
        said = f"is missing: a {needy[0]} has a beginning and an end, and `{config.use}` does not say how far apart."
        fix = "Add `period: 5min`, the time that one reading covers, up to its own."
        yield Finding((*place, "period"), said, fix)


def period(config: UsedConnectorConfig, observation: Observation, model: Model) -> float | None:
    """Return the seconds that a reading covers: the operator's word, else the vendor's; None where it covers none."""
    return (config.period or observation.period) if model.covers else None


def _absent(place: Place, name: str, registry: ConnectorCatalogue) -> Finding:
    fault = registry.fault(name)
    if fault is not None:
        return Finding(place, f"{shown(name, place)} is broken: {fault}")
    meant = did_you_mean(name, registry.names)
    if meant:
        fix = f"Did you mean `{meant}`?"
    else:
        known = registry.names
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        fix = f"There is {one_of(known[:_SHOWN])}{more}; `headrace connectors list` shows all."
    return Finding(place, f"{shown(name, place)} is no device connector that was found.", fix)


def paths(config: Config) -> Iterator[Finding]:
    """Yield the folders of connectors that are none."""
    for at, path in enumerate(config.connector_paths):
        if not File(path).is_dir():
            fix = "Mend it; a relative one is taken from the folder of this file."
            yield Finding(("connector_paths", at), f"{shown(path, ())} is no folder.", fix)


def broken(config: Config, registry: ConnectorCatalogue) -> Iterator[Finding]:
    """Yield a warning for each connector in the operator's own folders that cannot be used."""
    for at, path in enumerate(config.connector_paths):
        for each in registry.broken:
            if File(path) in File(each.file).parents:
                yield Finding(("connector_paths", at), f"holds a broken connector: {each}", severity="warning")


def alone(name: str, registry: ConnectorCatalogue) -> UsedConnectorConfig | None:
    """Return the use of a vendor's connector without an entry of its own, for devices that name themselves."""
    if registry.get(name) is None:
        return None
    return UsedConnectorConfig.model_validate(
        {"use": name, "device": {"field": "device"}}, context={"registry": registry}
    )


def declared(config: UsedConnectorConfig) -> Connector:
    """Return the vendor's declaration.

    Raises:
        ConfigError: there is none, which `judge` says with a sentence.
    """
    if config.connector is None:
        raise ConfigError(f"`{config.use}` is no device connector that was found.")
    return config.connector

"""Device connectors written in the configuration: held against their model, and made into what the engine takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.config.connectors import (
    AttributeSourceConfig,
    InlineConnectorConfig,
)
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, sentence
from pipeline.models.base import Model, ModelAttribute
from pipeline.models.units import UNITS, Conversion, UnitError, choose, conversion, resolve


def conversions(
    attributes: Mapping[str, AttributeSourceConfig], model: Model
) -> Iterator[tuple[str, AttributeSourceConfig, Conversion | None]]:
    """Yield each attribute, where it comes from, and how its unit is converted (None: it has no unit)."""
    for name, source in attributes.items():
        attribute = model.attribute(name)
        if attribute is not None and attribute.units and source.unit is not None:
            unit = resolve(source.unit)
            yield name, source, conversion(unit, UNITS[choose(attribute.units, unit)])
        else:
            yield name, source, None


def judge_inline(
    name: str, config: InlineConnectorConfig, models: Mapping[str, Model], supplied: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Yield everything that is wrong with a connector: its model, attributes, units, time and location.

    Args:
        supplied: What devices of the registry supply that have this connector: `location`, or attributes.
    """
    place: Place = ("connectors", name)
    model = models.get(config.model)
    if model is None:
        meant = did_you_mean(config.model, models)
        fix = f"Did you mean `{meant}`?" if meant else f"There is {one_of(sorted(models))}."
        yield Finding((*place, "model"), f"`{config.model}` is no model that Headrace knows.", fix)
        return
    for key, source in config.attributes.items():
        yield from judge_attribute((*place, "attributes", key), key, source, model)
    yield from _required(place, config, model, supplied)
    yield from _inline_period(place, config, model)


def judge_attribute(place: Place, key: str, source: AttributeSourceConfig, model: Model) -> Iterator[Finding]:
    """Yield what is wrong with one attribute: unknown to the model, or of a unit that it cannot have."""
    attribute = model.attribute(key)
    if attribute is None:
        yield _unknown(place, key, model)
    elif source.unit is not None:
        try:
            choose(attribute.units, resolve(source.unit))
        except UnitError as problem:
            yield Finding((*place, "unit"), sentence(str(problem)))
    elif attribute.units:
        yield _without_unit(place, attribute)


def unmeasured(connectors: Mapping[str, object], models: Mapping[str, Model]) -> Iterator[Finding]:
    """Yield a warning for each connector of the file none of whose attributes is a measurement."""
    for name, connector in connectors.items():
        if isinstance(connector, InlineConnectorConfig) and models[connector.model].tells_nothing(connector.attributes):
            model = models[connector.model]
            measured = one_of([attribute.name for attribute in model.attributes if attribute.measured])
            said = "say how or where something was measured, and none says what: nothing is published."
            yield Finding(("connectors", name, "attributes"), said, f"Add {measured}.", severity="warning")


def _unknown(place: Place, key: str, model: Model) -> Finding:
    made = {**dict.fromkeys(model.time, "observed_at"), "location": "location"}
    if model.device:
        made[model.device] = "device"
    if key in made:
        return Finding(place, f"is made from `{made[key]}`, which stands beside `attributes`.", "Remove it here.")
    known = [attribute.name for attribute in model.attributes]
    meant = did_you_mean(key, known)
    fix = f"Did you mean `{meant}`? " if meant else ""
    return Finding(place, f"is no attribute of {model.name}.", f"{fix}It has {one_of(known)}.")


def _without_unit(place: Place, attribute: ModelAttribute) -> Finding:
    units = [UNITS[code] for code in attribute.units]
    usual = ["%", "1"] if units[0].code == "C62" else [unit.symbol for unit in units]
    fix = f"Add `unit:` with what the device sends, such as {one_of(usual)}."
    return Finding((*place, "unit"), "is missing: the value has a dimension, and its unit is never guessed.", fix)


def _required(place: Place, config: InlineConnectorConfig, model: Model, supplied: frozenset[str]) -> Iterator[Finding]:
    for name in model.required:
        if name not in config.attributes and name not in supplied:
            fix = f"Add `{name}: {{field: <where it stands>}}`."
            yield Finding((*place, "attributes", name), f"is required by {model.name}, and nothing supplies it.", fix)
    if model.location_required and config.location is None and "location" not in supplied:
        fix = "Add `location: {longitude: lon, latitude: lat}` with the payload's fields, or a constant `[lon, lat]`."
        yield Finding((*place, "location"), f"is required by {model.name}, and nothing supplies it.", fix)


def _inline_period(place: Place, config: InlineConnectorConfig, model: Model) -> Iterator[Finding]:
    if model.covers and config.period is None:
        said = f"is missing: a {model.name} has a beginning and an end ({' and '.join(model.time)})."
        yield Finding(
            (*place, "period"), said, "Add `period: 5min`, the time that one reading covers, up to `observed_at`."
        )
    if not model.covers and config.period is not None:
        yield Finding((*place, "period"), f"means nothing here: {model.name} has no beginning and end.", "Remove it.")

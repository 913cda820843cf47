"""What a device's connector makes, and what it needs of the device: judged once for all devices that name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pipeline.config.connectors import AttributeSource, InlineConnector
from pipeline.config.declared import FROM_OTHERS
from pipeline.config.device_rows import guarded
from pipeline.config.findings import Finding, did_you_mean, one_of
from pipeline.config.inline import judge_attribute
from pipeline.config.root import Config
from pipeline.core.places import Area
from pipeline.models.base import Kind, Model, ModelAttribute
from pipeline.plugins.registry import Registry
from pipeline.sdk.connector import Connector

_SHOWN = 12
_KINDS: dict[Kind, tuple[type, ...]] = {"number": (int, float), "integer": (int,), "text": (str,), "boolean": (bool,)}


@dataclass(frozen=True, slots=True)
class Use:
    """One connector, perhaps with another model than its own. faults: what is wrong with it, at `connector` or `model`.

    models: of the entities that it makes. placed: whether it has a location of its own. lacks: required attributes that
    the payload does not bring, each with its model.
    """

    connector: str | None = None
    models: tuple[Model, ...] = ()
    placed: bool = True
    lacks: tuple[tuple[str, str], ...] = ()
    faults: tuple[Finding, ...] = ()

    @property
    def needs_location(self) -> str:
        """The models that need the location of the device, for a person; empty if none does."""
        return "" if self.placed else " and ".join(each.name for each in self.models if each.location_required)

    def attribute(self, name: str) -> ModelAttribute | None:
        """Return what the models say of an attribute, the first that has it."""
        return next((found for model in self.models if (found := model.attribute(name))), None)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A connector, whoever declared it: the attributes by model, and whether location and period are known."""

    attributes: Mapping[str, Mapping[str, AttributeSource]]
    placed: bool
    period: bool


class Uses:
    """The connectors that devices may name: those of the configuration, and every vendor's.

    unread: names under `connectors` that could not be read, which the configuration's own findings explain.
    """

    def __init__(self, config: Config, registry: Registry, models: Mapping[str, Model], unread: frozenset[str]) -> None:
        self._config = config
        self._registry = registry
        self._models = models
        self._unread = unread
        self._known: dict[tuple[str | None, str | None], Use] = {}
        self.area = None if config.area is None else Area(*config.area)

    def get(self, connector: str | None, model: str | None) -> Use:
        """Return the use of a connector with a model of its own (None), or another."""
        use = self._known.get((connector, model))
        if use is None:
            use = self._known[connector, model] = self._use(connector, model)
        return use

    @property
    def models(self) -> frozenset[str]:
        """The models of all connectors that were asked for by name."""
        return frozenset(model.name for use in self._known.values() if use.connector for model in use.models)

    def _use(self, name: str | None, model: str | None) -> Use:
        if model is not None and model not in self._models:
            return Use(name, faults=(_unknown_model(model, self._models),))
        if name is None:  # the route's connector, whichever that is
            own = [each for each in (self._config.models if model is None else [model]) if each in self._models]
            return Use(None, tuple(self._models[each] for each in own or self._models))
        declared = self._declared(name)
        if declared is None:
            return Use(name, faults=() if name in self._unread else (self._unknown(name),))
        attributes = declared.attributes
        faults: tuple[Finding, ...] = ()
        if model is not None and set(attributes) != {model}:
            faults = tuple(_override(name, declared, self._models[model]))
            attributes = {model: {name: source for each in attributes.values() for name, source in each.items()}}
        elif name not in self._config.connectors:
            faults = tuple(self._uncovered(name, declared))
        models = tuple(self._models[each] for each in attributes if each in self._models)
        lacks = [
            (each, made.name)
            for made in models
            for each in made.required
            if each not in attributes[made.name] and each not in FROM_OTHERS
        ]
        return Use(name, models, declared.placed, tuple(lacks), faults)

    def _declared(self, name: str) -> _Declared | None:
        entry = self._config.connectors.get(name)
        if isinstance(entry, InlineConnector):
            return _Declared({entry.model: entry.attributes}, entry.location is not None, entry.period is not None)
        if entry is not None:
            known = {"placed": entry.location is not None, "period": entry.period is not None}
            return None if entry.connector is None else _vendors(entry.connector, **known)
        found = self._registry.get(name)
        return None if found is None else _vendors(found.connector)

    def _uncovered(self, name: str, declared: _Declared) -> Iterator[Finding]:
        """Yield why a vendor's connector cannot be used without an entry of its own under `connectors`."""
        needy = [each for each in declared.attributes if each in self._models and self._models[each].covers]
        if needy and not declared.period:
            said = f"`{name}` does not say what time one reading covers, which a {needy[0]} needs."
            fix = f"Write `use: {name}` with `period: 5min` under `connectors`, and name that entry."
            yield Finding(("connector",), said, fix)

    def _unknown(self, name: str) -> Finding:
        fault = self._registry.fault(name)
        if fault is not None:
            return Finding(("connector",), f"`{name}` is broken: {fault}")
        known = [*sorted(self._config.connectors), *self._registry.names]
        meant = did_you_mean(name, known)
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        fix = f"There is {one_of(known[:_SHOWN])}{more}; `headrace connectors list` shows all vendors'."
        said = f"{guarded(name)} is neither a vendor's connector that was found nor under `connectors`."
        return Finding(("connector",), said, f"Did you mean `{meant}`?" if meant else fix)


def _vendors(connector: Connector, *, placed: bool = False, period: bool = False) -> _Declared:
    attributes = {
        each.model: {name: AttributeSource(field=a.field, unit=a.unit) for name, a in each.attributes.items()}
        for each in connector.observed()
    }
    period = period or any(each.period is not None for each in connector.observed())
    return _Declared(attributes, placed or connector.place is not None, period)


def _unknown_model(name: str, models: Mapping[str, Model]) -> Finding:
    meant = did_you_mean(name, models)
    fix = f"Did you mean `{meant}`?" if meant else f"There is {one_of(sorted(models))}."
    return Finding(("model",), f"{guarded(name)} is no model that Headrace knows.", fix)


def _override(name: str, declared: _Declared, model: Model) -> Iterator[Finding]:
    """Yield why the connector cannot make that model."""
    place = ("model",)
    if len(declared.attributes) > 1:
        said = f"cannot stand for the models of `{name}`, which makes {one_of(declared.attributes)}."
        yield Finding(place, said, "Remove it.")
        return
    [attributes] = declared.attributes.values()
    unfit = [key for key, source in attributes.items() if list(judge_attribute((), key, source, model))]
    if unfit:
        said = f"is {model.name}, which cannot hold what `{name}` makes: {one_of(unfit)}."
        yield Finding(place, said, "Name a model that has these attributes, or remove it.")
    if model.covers and not declared.period:
        said = f"is {model.name}, which has a beginning and an end, and `{name}` does not say what a reading covers."
        yield Finding(place, said, "Name another model, or remove it.")


def unfit(value: Any, attribute: ModelAttribute) -> str:  # noqa: ANN401 - JSON holds anything
    """Say what the model allows, if a constant value of the attribute is something else; else the empty text."""
    kinds = _KINDS[attribute.kind]
    low, high = attribute.allowed.minimum, attribute.allowed.maximum
    infinite = isinstance(value, float) and not isfinite(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds) or infinite:
        return {"text": "a text", "boolean": "`true` or `false`"}.get(attribute.kind, f"a {attribute.kind}")
    if attribute.choices and value not in attribute.choices:
        return one_of(attribute.choices)
    if isinstance(value, str) and len(value) < attribute.shortest:
        return f"at least {attribute.shortest} characters"
    number: Any = value  # or a text, which has no bounds
    if (low is not None and number < low) or (high is not None and number > high):
        return f"a {attribute.kind}{'' if low is None else f' from {low:g}'}{'' if high is None else f' to {high:g}'}"
    return ""

"""The values of one device in a registry: read, each with what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

from pipeline.config.connectors import AttributeSourceConfig, InlineConnectorConfig, check_coordinates
from pipeline.config.device_rows import guarded
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, sentence
from pipeline.config.judge_connectors import FROM_OTHERS
from pipeline.config.judge_inline import judge_attribute
from pipeline.config.root import Config
from pipeline.config.values import INTERVALS, seconds, spell_seconds
from pipeline.devices.registry import LIFECYCLES, Lifecycle
from pipeline.models.base import Area, Kind, Model, ModelAttribute
from pipeline.plugins.registry import ConnectorCatalogue
from pipeline.sdk.connector import Connector

LONGEST_NAME = 200
"""Characters of a name, as in every entity id."""
_EUI = re.compile(r"[0-9a-f]{16}")
_ROUNDED = re.compile(r"\d[.,]?\d*e\+?\d+")  # what a spreadsheet makes of an EUI without letters
_COORDINATES = (2, 3)


def usable_name(text: str) -> bool:
    """Say whether a device can have that name."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()


class Reading:
    """The values of one device, each read with what is wrong with it beside."""

    def __init__(self, key: str, values: dict[str, Any], found: list[Finding], *, csv: bool = False) -> None:
        self._csv = csv
        self._key = key
        self._values = values
        self._found = found

    def _wrong(self, at: str | Place, message: str, fix: str = "") -> None:
        place = (at,) if isinstance(at, str) else at
        self._found.append(Finding((self._key, *place), sentence(message), fix))

    def _write(self, yaml: str, csv: str) -> str:
        """Say what to write, in the form that the file has."""
        return f"Write {csv if self._csv else yaml}."

    def text(self, name: str) -> str | None:
        """Return a text, or None."""
        value = self._values.get(name)
        if value is None or (isinstance(value, str) and usable_name(value)):
            return value
        self._wrong(name, f"expected a text of 1 to {LONGEST_NAME} printable characters, got {guarded(value)}.")
        return None

    def eui(self) -> str | None:
        """Return the DevEUI as 16 lower-case hex digits, or None."""
        value = self._values.get("dev_eui")
        if value is None:
            return None
        text = value.replace("-", "").replace(":", "").lower() if isinstance(value, str) else ""
        if _EUI.fullmatch(text):
            return text
        got = f"{guarded(value)}, which has {len(text)} characters" if text else guarded(value)
        fix = "Copy it from the device's label."
        if _ROUNDED.fullmatch(text):
            got = f"{guarded(value)}, which a spreadsheet has rounded"
            fix = "Let it take the column as text, and copy the EUIs again."
        self._wrong("dev_eui", f"expected an EUI of 16 hex digits, got {got}.", fix)
        return None

    def aliases(self) -> tuple[str, ...]:
        """Return the other names."""
        value = self._values["aliases"]
        if isinstance(value, list) and all(isinstance(each, str) and usable_name(each) for each in value):
            return tuple(value)
        self._wrong(
            "aliases",
            f"expected a list of names, got {guarded(value)}.",
            self._write("`aliases: [first, second]`", "`first;second` in the column `aliases`"),
        )
        return ()

    def location(self) -> tuple[float, ...] | None:
        """Return longitude, latitude (, altitude), or None."""
        value = self._values["location"]
        place = _numbers(value)
        if place is None:
            columns = "3.7174 in the column `longitude` and 51.0543 in `latitude`, with a decimal point"
            fix = self._write("`location: [3.7174, 51.0543]`", columns)
            self._wrong("location", f"expected longitude and latitude in degrees, got {_listed(value)}.", fix)
            return None
        try:
            return check_coordinates(place)
        except ValueError as problem:
            self._wrong("location", f"{_listed(value)} {problem}")
            return None

    def attributes(self, use: Use) -> dict[str, Any]:
        """Return the constant attributes."""
        value = self._values["attributes"]
        if not isinstance(value, dict):
            fix = self._write("`attributes: {name: value}`", "`name=value;other=value` in the column `attributes`")
            self._wrong("attributes", f"expected attributes and their values, got {guarded(value)}.", fix)
            return {}
        for name, each in value.items() if use.models else ():
            self._attribute(name, each, use)
        return value

    def _attribute(self, name: str, value: Any, use: Use) -> None:  # noqa: ANN401 - JSON holds anything
        attribute = use.attribute(name)
        if attribute is None:
            known = [each.name for model in use.models for each in model.attributes]
            meant = did_you_mean(name, known)
            models = " or ".join(model.name for model in use.models[:3])
            fix = f"Did you mean `{meant}`?" if meant else "What is no attribute belongs under `tags`."
            self._wrong(("attributes", name), f"is no attribute of {models}.", fix)
        elif allowed := unfit(value, attribute):
            texted = allowed == "a text" and not isinstance(value, dict | list)
            fix = (
                self._write("it in quotes", f'`{name}="{value}"`; CSV has each quote in a cell twice') if texted else ""
            )
            self._wrong(("attributes", name), f"expected {allowed}, got {guarded(value)}.", fix)

    def tags(self) -> dict[str, str]:
        """Return the tags."""
        value = self._values["tags"]
        if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
            return value
        fix = self._write("`tags: {site: hall}`", "`site=hall;floor=3` in the column `tags`")
        self._wrong("tags", f"expected names and their texts, got {guarded(value)}.", fix)
        return {}

    def prefer(self) -> Any:  # noqa: ANN401 - one of the two words
        """Return which source to prefer."""
        value = self._values["prefer"]
        if value in ("server", "raw"):
            return value
        self._wrong("prefer", f"expected `server` or `raw`, got {guarded(value)}.")
        return None

    def interval(self) -> float | None:
        """Return the seconds between two readings, or None."""
        value = self._values["interval"]
        try:
            return _interval(value)
        except (ValueError, TypeError):
            shortest, longest = map(spell_seconds, INTERVALS)
            said = f"expected a duration of {shortest} to {longest}, got {guarded(value)}."
            self._wrong("interval", said, "Write a number with its unit: `30s`, `10min`, `2h`, `1d`.")
            return None

    def lifecycle(self) -> Lifecycle:
        """Return whether the device is in use."""
        value: Any = self._values["lifecycle"]
        if value in LIFECYCLES:
            found: Lifecycle = value
            return found
        self._wrong("lifecycle", f"expected {one_of(LIFECYCLES)}, got {guarded(value)}.")
        return "active"


@lru_cache(maxsize=256)
def _interval(text: str) -> float:
    value = seconds(text)
    if not INTERVALS[0] <= value <= INTERVALS[1]:
        raise ValueError(text)
    return value


def _numbers(value: object) -> tuple[float, ...] | None:
    try:
        place = tuple(float(each) for each in value) if isinstance(value, list) else ()
    except (TypeError, ValueError):
        return None
    return place if len(place) in _COORDINATES and all(map(isfinite, place)) else None


def _listed(value: object) -> str:
    return f"[{', '.join(guarded(each) for each in value)}]" if isinstance(value, list) else guarded(value)


_SHOWN = 12
_KINDS: dict[Kind, tuple[type, ...]] = {"number": (int, float), "integer": (int,), "text": (str,), "boolean": (bool,)}


@dataclass(frozen=True, slots=True)
class Use:
    """One connector, perhaps with another model than its own.

    Attributes:
        faults: What is wrong with it, at `connector` or `model`.
        models: Of the entities that it makes.
        placed: Whether it has a location of its own.
        lacks: Required attributes that the payload does not bring, each with its model.
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
    """A connector, inline or a vendor's: the attributes by model, and whether location and period are known."""

    attributes: Mapping[str, Mapping[str, AttributeSourceConfig]]
    placed: bool
    period: bool


class Uses:
    """The connectors that devices may name: those of the configuration, and every vendor's.

    Attributes:
        unread: Names under `connectors` that could not be read, which the configuration's own findings explain.
    """

    def __init__(
        self, config: Config, registry: ConnectorCatalogue, models: Mapping[str, Model], unread: frozenset[str]
    ) -> None:
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
        if isinstance(entry, InlineConnectorConfig):
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
        each.model: {name: AttributeSourceConfig(field=a.field, unit=a.unit) for name, a in each.attributes.items()}
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

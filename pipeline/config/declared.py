"""A vendor's declaration, held against the models before anything is decoded: names, attributes, units, paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.config.connectors import AttributeSource
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, sentence
from pipeline.config.inline import judge_attribute
from pipeline.config.used import DEVICE
from pipeline.config.values import VENDOR_NAME, field_path
from pipeline.core.times import SCALES
from pipeline.models import MODELS
from pipeline.models.base import Model
from pipeline.models.device import WORDS
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
            source = AttributeSource(field=attribute.field, unit=attribute.unit)
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

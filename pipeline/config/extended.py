"""What an operator maps of a vendor's decoder beside, or instead of, what its connector does: `attributes` with `use`.

The vendor's declaration stays as it is; the entry of the configuration has one of its own, made here, and everything
behind it (plans, `check`, `explain`, the registry) sees no difference. Its version tells the two apart in records.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import orjson

from pipeline.config.connectors import AttributeSourceConfig
from pipeline.config.document import yaml_text
from pipeline.config.findings import Finding, Place, did_you_mean, one_of
from pipeline.config.judge_inline import judge_attribute
from pipeline.config.values import field_path
from pipeline.core.errors import PayloadError
from pipeline.core.field_path import Steps, spelled
from pipeline.core.record import DEVICE
from pipeline.models import MODELS
from pipeline.models.base import Model
from pipeline.sdk.connector import Attribute, Connector, Format, Uplink

_DEEPEST = 8
_SHOWN = 40
_ARRIVAL = 1_795_000_000_000  # when the examples' payloads arrive


def extended(connector: Connector, attributes: Mapping[str, AttributeSourceConfig]) -> Connector:
    """Return a connector with further attributes, and others in place of its own; those of no model are left out."""
    observations, device = list(connector.observed()), dict(connector.device)
    for name, source in attributes.items():
        mapped = Attribute(source.field, source.unit)
        for model in homes(connector, name):
            if model == DEVICE:
                device[name] = mapped
                continue
            at = next(at for at, each in enumerate(observations) if each.model == model)
            observations[at] = replace(observations[at], attributes={**observations[at].attributes, name: mapped})
    content = orjson.dumps({name: each.model_dump() for name, each in attributes.items()}, option=orjson.OPT_SORT_KEYS)
    version = f"{connector.version}+{hashlib.sha256(content).hexdigest()[:8]}"
    return replace(
        connector,
        model=None,
        attributes={},
        observations=tuple(observations),
        device=device,
        period=None,
        version=version,
    )


def homes(connector: Connector, name: str) -> list[str]:
    """Return the models whose entities get an attribute: those that have it already, else the first that may."""
    own = [each.model for each in connector.observed() if name in each.attributes]
    own += [DEVICE] if name in connector.device else []
    if own:
        return own
    models = [each.model for each in connector.observed() if each.model in MODELS]
    return [model for model in [*dict.fromkeys(models), DEVICE] if MODELS[model].attribute(name) is not None][:1]


def judge(place: Place, connector: Connector, attributes: Mapping[str, AttributeSourceConfig]) -> Iterator[Finding]:
    """Yield what is wrong with attributes that are added to a connector, which is the vendor's own."""
    fields = known_fields(connector) if attributes else ()
    for name, source in attributes.items():
        where = (*place, name)
        models = homes(connector, name)
        for model in models:
            yield from judge_attribute(where, name, source, MODELS[model])
        if not models:
            yield _homeless(where, name, [MODELS[each.model] for each in connector.observed() if each.model in MODELS])
        elif fields and _plain(field_path(source.field).steps) not in {_plain(each) for each in fields}:
            yield _unyielded((*where, "field"), source.field, fields, connector)


def _homeless(place: Place, name: str, models: Sequence[Model]) -> Finding:
    known = [each.name for model in [*models, MODELS[DEVICE]] for each in model.attributes]
    meant = did_you_mean(name, known)
    names = " or ".join([*dict.fromkeys(model.name for model in models), DEVICE])
    fix = f"Did you mean `{meant}`?" if meant else "deploy/reference/models.md has all attributes."
    return Finding(place, f"is no attribute of {names}, which the connector makes.", fix)


def _unyielded(place: Place, field: str, fields: Sequence[Steps], connector: Connector) -> Finding:
    texts = [spelled(each) for each in fields]
    meant = did_you_mean(field, texts)
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    shown = one_of(map(yaml_text, texts[:_SHOWN]))
    fix = (f"Did you mean `{yaml_text(meant)}`? " if meant else "") + f"It yields {shown}{more}."
    name = f"{connector.vendor}/{connector.devices[0]}"
    said = f"`{field}` is no field that the decoder of `{name}` yields in any of its examples."
    return Finding(place, said, fix, severity="warning" if _open(connector) else "error")


def _open(connector: Connector) -> bool:
    """Say whether fields come as the payload names them, so that examples cannot show all."""
    return isinstance(getattr(connector.decode, "__self__", None), Format)


def known_fields(connector: Connector) -> tuple[Steps, ...]:
    """Return every field that a decoder yields in the connector's examples, and those that the connector maps."""
    found: dict[Steps, None] = {}
    with redirect_stdout(sys.stderr):  # a vendor's decoder may print
        for example in connector.examples:
            for reading in _decoded(connector, example.payload(), example.port):
                found |= dict.fromkeys(_leaves(reading, ()))
    if not found:
        return ()
    found |= dict.fromkeys(field_path(each.field).steps for each in mapped(connector))
    return tuple(found)


def mapped(connector: Connector) -> list[Attribute]:
    """Return what a connector maps, of all its models."""
    every = [each.attributes for each in connector.observed()]
    return [source for attributes in (*every, connector.device) for source in attributes.values()]


def unmapped(connector: Connector) -> list[str]:
    """Return the fields that a decoder yields, and that nothing of its connector takes."""
    taken = [each.field for each in mapped(connector)]
    taken += [] if connector.time is None else [connector.time.field]
    place = connector.place
    taken += [] if place is None else [text for text in (place.longitude, place.latitude, place.altitude) if text]
    used = {_plain(field_path(text).steps) for text in taken}
    return sorted({yaml_text(spelled(each)) for each in known_fields(connector) if _plain(each) not in used})


def _decoded(connector: Connector, payload: bytes, port: int | None) -> Sequence[Any]:
    try:
        decoded = connector.decode(Uplink(payload, port, received_at=_ARRIVAL))
    except (PayloadError, KeyboardInterrupt) as refusal:
        if isinstance(refusal, KeyboardInterrupt):
            raise
        return ()
    except BaseException:  # noqa: BLE001 - whatever a vendor's decoder does; `connectors check` says it
        return ()
    return [decoded] if isinstance(decoded, Mapping) else list(decoded) if isinstance(decoded, Sequence) else ()


def _leaves(value: object, steps: Steps) -> Iterator[Steps]:
    if isinstance(value, Mapping) and len(steps) < _DEEPEST:
        for name, each in value.items():
            yield from _leaves(each, (*steps, str(name)))
    elif isinstance(value, list | tuple) and len(steps) < _DEEPEST:
        for at, each in enumerate(value[:_SHOWN]):
            yield from _leaves(each, (*steps, at))
    elif steps:
        yield steps


def _plain(steps: Steps) -> Steps:
    """Return a path whose array places are all one: an example may have fewer entries than a device sends."""
    return tuple(0 if isinstance(step, int) else step for step in steps)

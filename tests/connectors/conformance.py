"""What every connector must keep to: shared by the connectors in the tree and the one of connectors/README.md."""

import importlib
import json
import math
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

import connectors
from headrace import Attribute, Connector, Example, Fields, Observation, PayloadError, Uplink
from pipeline.config.values import field_path
from pipeline.core.delivery import Message
from pipeline.core.record import decode_headers
from pipeline.encode.headers import recorded_header
from pipeline.models import MODELS
from pipeline.normalise.binding import AttributeRule, Binding, Fixed, FromTopic, ObservedAt, Source, slots_of
from tests.pipeline.flow import ARRIVAL, plan_of
from tests.support.records import assert_record, simplified

NOT_VENDORS = ("connectors.formats", "connectors.network_servers")
YEARS = 3650 * 86_400  # examples are old
BESIDES = {"id", "type", "location", "@context"}


def found() -> Iterator[tuple[str, Connector]]:
    """Yield every connector of the tree with its module's name."""
    for module in pkgutil.walk_packages(connectors.__path__, "connectors."):
        if not module.ispkg and not module.name.startswith(NOT_VENDORS):
            yield module.name, importlib.import_module(module.name).connector


def uplink(example: Example) -> Uplink:
    return Uplink(example.payload(), example.port, received_at=ARRIVAL)


def readings(connector: Connector, sent: Uplink) -> list[Fields]:
    decoded = connector.decode(sent)
    assert isinstance(decoded, Mapping | Sequence)
    return [decoded] if isinstance(decoded, Mapping) else list(decoded)


def sources(attributes: Mapping[str, Attribute]) -> dict[str, Source]:
    return {name: Source(field_path(each.field), each.unit) for name, each in attributes.items()}


def binding(connector: Connector, observation: Observation) -> Binding:
    time = connector.time
    model = MODELS[observation.model]
    return Binding(
        name=connector.vendor,
        version=connector.version,
        model=observation.model,
        device=FromTopic("device"),
        attributes=sources(observation.attributes),
        observed_at=ObservedAt(field_path(time.field), time.unit, YEARS, optional=True) if time else None,
        period=observation.period if len(model.time) > 1 else None,
        location=Fixed((4.89, 52.37)),
    )


def published(connector: Connector, observation: Observation, fields: Fields) -> dict[str, Any]:
    """Return the attributes of the entity that a reading makes, empty if it makes none; none may be flagged."""
    bound = binding(connector, observation)
    if not any(source.path.find(fields) is not None for source in bound.attributes.values()):
        return {}
    plan = plan_of(bound)
    entity = plan.entity("device-1")
    record = plan.normalise(fields, entity, Message("t", b"", ARRIVAL), recorded_header(ARRIVAL), 0)
    headers = decode_headers(record.headers)
    made = assert_record(record.value, headers, entity.key)
    assert "ce_quality" not in dict(headers)
    model = MODELS[observation.model]
    return {name: value for name, value in simplified(made).items() if name not in {*BESIDES, *model.time}}


def device_slots(connector: Connector) -> tuple[AttributeRule, ...]:
    """Compile the attributes of the Device entity: each is one of the model, in a unit that it accepts."""
    bound = Binding("d", "1", "Device", FromTopic("device"), sources(connector.device))
    return slots_of(bound, MODELS["Device"])


def check_example(connector: Connector, example: Example) -> None:
    """Hold an example against its expectation, twice, through the plan that the engine uses."""
    sent = uplink(example)
    if example.expect is PayloadError:
        check_refused(connector, sent)
        return
    decoded = readings(connector, sent)
    assert decoded == readings(connector, uplink(example)), "the same bytes gave something else"
    assert not isinstance(example.expect, type)
    several = isinstance(example.expect, Sequence)
    expected = list(example.expect) if isinstance(example.expect, Sequence) else [example.expect]
    assert len(decoded) == len(expected), f"expected {len(expected)} readings, got {len(decoded)}"
    assert several == isinstance(connector.decode(sent), Sequence)
    for fields, wanted in zip(decoded, expected, strict=True):
        check_reading(connector, fields, wanted)


def check_reading(connector: Connector, fields: Fields, wanted: Mapping[str, Any]) -> None:
    """Hold a reading against what is wanted of it: attributes of the one observation, or by model, Device included."""
    made = {each.model: values for each in connector.observed() if (values := published(connector, each, fields))}
    device = device_state(connector, fields)
    expected = by_model(connector, wanted)
    assert set(made) == set(expected) - {"Device"}
    for model, values in made.items():
        same(values, expected[model])
    if "Device" in expected:
        same(device, expected["Device"])


def by_model(connector: Connector, wanted: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return what is wanted of a reading, by model, however the example wrote it."""
    observed = [each.model for each in connector.observed()]
    if set(wanted) <= {*observed, "Device"}:
        return wanted
    [model] = observed
    return {model: wanted}


def device_state(connector: Connector, fields: Fields) -> dict[str, Any]:
    """Return what a reading says of its device; nothing of it may be refused or flagged."""
    found = [(slot, value) for slot in device_slots(connector) if (value := slot.path.find(fields)) is not None]
    flags: list[str] = []
    state = {slot.name: json.loads(slot.render(value, flags)) for slot, value in found}
    assert not flags
    return state


def same(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert set(made) == set(wanted)
    for name, value in made.items():
        if isinstance(value, float):
            assert math.isclose(value, wanted[name], rel_tol=1e-9), f"{name}: expected {wanted[name]}, got {value}"
        else:
            assert value == wanted[name], name


def check_refused(connector: Connector, sent: Uplink) -> None:
    with pytest.raises(PayloadError, match=r"^expected "):
        connector.decode(sent)


def check_survives(connector: Connector, sent: Uplink) -> None:
    """Only PayloadError may escape, with a sentence; what is decoded is fields, or a list of them."""
    try:
        decoded = connector.decode(sent)
    except PayloadError as refusal:
        assert str(refusal).startswith("expected "), str(refusal)
        assert len(str(refusal)) < 300
    else:
        assert isinstance(decoded, Mapping) or all(isinstance(each, Mapping) for each in decoded)

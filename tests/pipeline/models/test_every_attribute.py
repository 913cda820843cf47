"""Every attribute of every model, in each of its units, becomes a record that passes all checks."""

from typing import Any

import pytest

from pipeline.core.delivery import Message
from pipeline.core.record import decode_headers
from pipeline.encode.headers import recorded_header
from pipeline.models import MODELS
from pipeline.models.base import Model, ModelAttribute
from pipeline.models.units import UNITS, Unit, conversion
from pipeline.normalise.binding import Binding, Source
from tests.pipeline.flow import AIR, ARRIVAL, READING, path, plan_of
from tests.support.records import assert_record

TEXTS = {"text": "some words", "boolean": True}


def cases() -> list[tuple[Model, ModelAttribute, str]]:
    return [
        (model, attribute, unit)
        for model in MODELS.values()
        if not model.required  # a Device has what no field of a reading supplies
        for attribute in model.attributes
        for unit in (attribute.units or ("",))
    ]


def name_of(case: tuple[Model, ModelAttribute, str]) -> str:
    model, attribute, unit = case
    return f"{model.name}.{attribute.name} {unit}".strip()


def typical(attribute: ModelAttribute, unit: str) -> Any:
    """Return a value that is allowed and plausible, in the canonical unit."""
    if attribute.kind in TEXTS:
        return attribute.choices[0] if attribute.choices else TEXTS[attribute.kind]
    bounds = attribute.plausible.get(unit, attribute.allowed)
    assert bounds.minimum is not None
    assert bounds.maximum is not None
    middle = (bounds.minimum + bounds.maximum) / 2
    return int(middle) if attribute.kind == "integer" else middle


def publish(model: Model, attribute: ModelAttribute, unit: Unit | None, value: Any) -> tuple[dict[str, Any], str]:
    """Return the record's attribute and its quality flags."""
    sources = {attribute.name: Source(path("x"), unit.symbol if unit else None)}
    if not attribute.measured:  # alone it would say nothing
        other = next(each for each in model.attributes if each.measured and each.kind == "number")
        sources[other.name] = Source(path("no2"), UNITS[other.units[0]].symbol)
    binding = Binding(
        name="every",
        version="1",
        model=model.name,
        device=AIR.device,
        attributes=sources,
        observed_at=AIR.observed_at,
        period=300 if len(model.time) > 1 else None,
        location=AIR.location,
    )
    plan = plan_of(binding)
    entity = plan.entity("aq-0001")
    message = Message("city/aq/0001", b"", ARRIVAL)
    record = plan.normalise({**READING, "x": value}, entity, message, recorded_header(ARRIVAL), 0)
    pairs = decode_headers(record.headers)
    published = assert_record(record.value, pairs, entity.key)
    return published[attribute.name], dict(pairs).get("ce_quality", b"").decode()


@pytest.mark.parametrize("case", cases(), ids=name_of)
def test_a_plausible_value_is_published_as_it_is(case: tuple[Model, ModelAttribute, str]) -> None:
    model, attribute, unit = case
    value = typical(attribute, unit)

    published, flags = publish(model, attribute, UNITS.get(unit), value)

    assert published["value"] == value
    assert published.get("unitCode", "") == unit
    assert not flags


@pytest.mark.parametrize("case", [case for case in cases() if case[2] and case[1].kind == "number"], ids=name_of)
def test_a_value_in_any_unit_of_the_dimension_is_published(case: tuple[Model, ModelAttribute, str]) -> None:
    model, attribute, code = case
    value = typical(attribute, code)
    for unit in UNITS.values():
        if unit.dimension == UNITS[code].dimension and unit.code not in attribute.units:
            sent = conversion(UNITS[code], unit).apply(value)

            published, _ = publish(model, attribute, unit, sent)

            assert published["value"] == pytest.approx(value, rel=1e-9)
            assert published["unitCode"] in attribute.units


def beyond() -> list[tuple[Model, ModelAttribute, str]]:
    """Return the cases in which the schema allows more than is plausible."""
    limited = [case for case in cases() if case[2] in case[1].plausible]
    return [case for case in limited if case[1].plausible[case[2]].maximum != case[1].allowed.maximum]


@pytest.mark.parametrize("case", beyond(), ids=name_of)
def test_a_value_beyond_what_is_plausible_is_published_and_flagged(case: tuple[Model, ModelAttribute, str]) -> None:
    model, attribute, unit = case
    twice = (attribute.plausible[unit].maximum or 0) * 2

    published, flags = publish(model, attribute, UNITS.get(unit), twice)

    assert published["value"] == twice
    assert flags == f"implausible:{attribute.name}"

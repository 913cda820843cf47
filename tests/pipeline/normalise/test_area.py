"""Places from payloads: outside the configured box, and longitude and latitude in the wrong order."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.delivery import Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.record import decode_headers
from pipeline.devices.registry import Device
from pipeline.encode.headers import recorded_header
from pipeline.models.base import WORLD, Area
from pipeline.normalise.plan import Plan
from tests.pipeline.flow import ARRIVAL, READING, spec_of

AMSTERDAM = Area(4.7, 52.2, 5.1, 52.5)
MESSAGE = Message("city/aq/0001", b"", ARRIVAL)
RECORDED = recorded_header(ARRIVAL)


def plan(area: Area = WORLD, registered: tuple[float, ...] | None = None) -> Plan:
    known = None if registered is None else Device("aq-0001", location=registered)
    return Plan(spec_of(area=area), lookup=lambda _: known)


def quality(made: Plan, **place: float) -> str | None:
    fields: dict[str, Any] = {**READING, **place}
    record = made.normalise(fields, made.entity("aq-0001"), MESSAGE, RECORDED, 0)
    return {name: value.decode() for name, value in decode_headers(record.headers)}.get("ce_quality")


def test_a_place_inside_the_area_takes_the_fast_path() -> None:
    made = plan(AMSTERDAM, registered=(4.89, 52.37))
    assert made.fast(READING, made.entity("aq-0001"), MESSAGE, RECORDED, 0) is not None
    assert quality(made) is None


@pytest.mark.parametrize("place", [{"lat": 51.05, "lon": 3.72}, {"lat": 52.3, "lon": 5.2}, {"lat": 52, "lon": 5}])
def test_a_place_outside_the_area_is_refused(place: dict[str, float]) -> None:
    with pytest.raises(PayloadError) as caught:
        quality(plan(AMSTERDAM), **place)
    assert caught.value.reason is Reason.LOCATION_OUTSIDE
    assert "lies outside `area` [4.7, 52.2, 5.1, 52.5]" in str(caught.value)
    assert "swapped" not in str(caught.value)


def test_a_swapped_pair_is_named_where_the_area_can_tell() -> None:
    with pytest.raises(PayloadError) as caught:
        quality(plan(AMSTERDAM), lat=4.89, lon=52.37)
    assert "the swapped pair lies inside, and longitude comes first" in str(caught.value)


def test_a_swapped_pair_is_flagged_where_the_registry_can_tell() -> None:
    made = plan(registered=(4.88, 52.36))
    assert quality(made) is None
    assert quality(made, lat=4.89, lon=52.37) == "swapped:location"
    assert quality(made, lat=48.1, lon=11.5) is None, "a device that moves may be elsewhere"
    assert quality(plan(), lat=4.89, lon=52.37) is None, "without a registry, both orders are places"


def test_near_the_diagonal_nothing_is_swapped() -> None:
    assert quality(plan(registered=(45.01, 45.0)), lat=45.0, lon=45.02) is None

"""From concise NGSI-LD to normalised, as a reader of GS CIM 009 (4.5.2.3, 4.5.2.5, 4.5.3.3) infers it; none of ours."""

from collections.abc import Mapping
from typing import Any

GEOMETRIES = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
ATTRIBUTES = {"Property", "GeoProperty", "Relationship"}


def normalised(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entity with every type written out."""
    own = {"id", "type", "@context"}
    return {name: member if name in own else _attribute(member) for name, member in entity.items()}


def _attribute(member: Any) -> dict[str, Any]:
    if not isinstance(member, dict):
        assert not (isinstance(member, list) and any(isinstance(each, dict) for each in member)), (
            f"expected no list of objects, which would be several instances of one attribute, got {member}"
        )
        return {"type": "Property", "value": member}
    if member.get("type") in ATTRIBUTES:
        return member
    if "object" in member:
        return {"type": "Relationship", **member}
    if "value" in member:
        return {"type": _kind(member["value"]), **member}
    assert "type" not in member or _geometry(member), f"expected an attribute of a known type, got {member}"
    return {"type": _kind(member), "value": member}


def _kind(value: Any) -> str:
    return "GeoProperty" if _geometry(value) else "Property"


def _geometry(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in GEOMETRIES and "coordinates" in value

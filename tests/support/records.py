"""What every test of a record asserts, in one call.

    entity = assert_record(value, headers, key)

In order: strict JSON; the NGSI-LD lint; the official JSON schema of the model, on the key-values form; the term
allow-list of our own definitions; the CloudEvents headers, read back by the CloudEvents SDK; key, id and size agree.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tests.support.event_headers import check_headers
from tests.support.ngsi_lint import lint
from tests.support.official import validator

LARGEST = 64 * 1024


def assert_record(value: bytes, headers: Sequence[tuple[str, bytes]], key: bytes) -> dict[str, Any]:
    """Check one record as consumers get it and return its entity; AssertionError says what is wrong."""
    assert len(value) <= LARGEST, f"expected at most {LARGEST} bytes, got {len(value)}"
    entity = parse_strictly(value)
    lint(entity)
    check_schema(entity)
    assert key == entity["id"].encode(), f"expected the key to be the id {entity['id']}, got {key!r}"
    check_headers(headers, entity, value)
    return entity


def parse_strictly(value: bytes) -> dict[str, Any]:
    """Parse RFC 8259 JSON: no NaN, no infinity, no name twice, UTF-8 without a byte order mark."""
    try:
        entity = json.loads(
            value.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once
        )
    except ValueError as problem:
        raise AssertionError(f"expected strict JSON, got {problem}") from problem
    assert isinstance(entity, dict), f"expected one entity, got {type(entity).__name__}"
    return entity


def simplified(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key-values form (GS CIM 009, 4.5.4), which is what the official schemas describe."""
    return {name: _plain(member) for name, member in entity.items() if name != "@context"}


def check_schema(entity: Mapping[str, Any]) -> None:
    errors = [
        f"/{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in validator(entity["type"]).iter_errors(simplified(entity))
    ]
    assert not errors, f"expected the official schema of {entity['type']} to accept it, got {'; '.join(errors)}"


def _plain(member: Any) -> Any:
    if not isinstance(member, dict):
        return member
    content = member["object"] if member["type"] == "Relationship" else member["value"]
    return content["@value"] if isinstance(content, dict) and "@value" in content else content


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text}, which is beyond a double")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(f"a name twice among {[name for name, _ in pairs]}")
    return made

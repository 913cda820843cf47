"""The official Smart Data Models: schemas, contexts and examples, which are not in this repository.

They stand at `../shared/data` beside the project, or where HEADRACE_SHARED says. Where they are absent a test skips and
says so; with CI=true it fails, since a skip would hide that nothing was checked.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, Registry

ROOT = Path(__file__).resolve().parent.parent.parent
# Schemas name this document by two addresses.
ENVIRONMENT_SCHEMA = (
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Environment/master/Environment-schema.json"
)


def official(*parts: str) -> Path:
    folder = Path(os.environ.get("HEADRACE_SHARED") or ROOT.parent / "shared" / "data")
    path = folder.joinpath("smart-data-models", *parts)
    if not path.exists():
        reason = f"no official data at {path}: set HEADRACE_SHARED to the folder that holds smart-data-models/"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


def document(*parts: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(official(*parts).read_text(encoding="utf-8"))
    return loaded


def subject_context(subject: str) -> dict[str, Any]:
    terms: dict[str, Any] = document("_common", f"context-{subject}.jsonld")["@context"]
    return terms


def core_context() -> dict[str, Any]:
    terms: dict[str, Any] = document("_common", "ngsi-ld-core-context-v1.9.jsonld")["@context"]
    return terms


def schema(model: str) -> dict[str, Any]:
    return document(model, "schema.json")


def schema_properties(model: str) -> dict[str, Any]:
    """Return every property of a model's schema, those that come by `$ref` included, each with its `$ref` followed."""
    found: dict[str, Any] = {}
    for part in schema(model)["allOf"]:
        found |= _followed(part).get("properties", {})
    return {name: _followed(definition) for name, definition in found.items()}


@cache
def validator(model: str) -> Draft202012Validator:
    """Return the validator of a model's official schema, with formats checked and the network out of reach."""
    registry = Registry(list(_shared_schemas().items()), retriever=refuse)
    return Draft202012Validator(schema(model), registry=registry, validate_formats=True, retriever=refuse)


def refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not among the official schemas, and nothing is fetched")


@cache
def _shared_schemas() -> dict[str, dict[str, Any]]:
    documents = [json.loads(path.read_text("utf-8")) for path in sorted(official("_common").glob("*-schema.json"))]
    named = {document["$id"]: document for document in documents}
    return named | {ENVIRONMENT_SCHEMA: document("_common", "Environment-schema.json")}


def _followed(definition: dict[str, Any]) -> dict[str, Any]:
    # A reference within one document is to the form of an id, which no attribute of ours has.
    if definition.get("$ref", "#").startswith("#"):
        return definition
    address, _, pointer = definition["$ref"].partition("#/")
    target: Any = _shared_schemas()[address]
    for step in pointer.split("/"):
        target = target[step]
    return _followed(target)

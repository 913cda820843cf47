"""The `@context` documents that our records name, as far as our records use them, shipped with the package.

Nothing is fetched while the program runs. A document here answers for the address of the official one: it holds the
terms of our models and no others, and maps each to the same IRI (held against the official documents by a test). The
files are written by `python -m pipeline.reference.models --contexts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from pipeline.core.errors import HeadraceError
from pipeline.models.base import Model

DEVICE_SUBJECT = "dataModel.Device"
ENVIRONMENT = "dataModel.Environment"
WEATHER = "dataModel.Weather"

COMMITS = {
    DEVICE_SUBJECT: "96e38834eda502ed6a764e1fa7059a8c3561dcda",
    ENVIRONMENT: "f0150e5c97f41e4c0881a0bcfa05d559058bdea1",
    WEATHER: "adf1dd5918da36980208a0a46ed76c81fba91ea5",
}
"""The commit of each subject's repository that our definitions were written from."""

CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
"""The NGSI-LD core `@context`; always last, since its terms cannot be redefined (ETSI GS CIM 009, 4.4)."""


def _published(subject: str, path: str) -> str:
    return f"https://raw.githubusercontent.com/smart-data-models/{subject}/{COMMITS[subject]}/{path}"


def subject_context(subject: str) -> str:
    """Return the address of a subject's `@context`."""
    return _published(subject, "context.jsonld")


def context_urls(subject: str) -> tuple[str, ...]:
    """Return the `@context` of an entity of the subject."""
    return subject_context(subject), CORE_CONTEXT


def schema_url(subject: str, model: str) -> str:
    """Return the address of a model's JSON schema; the `$id` inside it is not always the model's own."""
    return _published(subject, f"{model}/schema.json")


_NGSI_LD = "https://uri.etsi.org/ngsi-ld/"
_GEOJSON = "https://purl.org/geojson/vocab#"
_SHARED = {"dateObserved"}  # terms of all subjects alike; the others belong to their subject
_CORE_FILE = "core.jsonld"


def context(url: str) -> dict[str, Any]:
    """Return the document for an address of a model's `context`.

    Raises:
        HeadraceError: no document is shipped for that address.
    """
    name = _file_names().get(url)
    if name is None:
        raise HeadraceError(f"expected one of {', '.join(_file_names())}, got {url!r}; no other context is shipped.")
    file = resources.files(__package__).joinpath("contexts", name)
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def documents(models: Iterable[Model]) -> dict[str, dict[str, Any]]:
    """Make the documents, by file name, from the models' definitions."""
    terms: dict[str, dict[str, str]] = {subject: {} for subject in COMMITS}
    for model in models:
        terms[model.subject] |= {term: _iri(model.subject, term) for term in model.terms}
    made: dict[str, dict[str, Any]] = {_subject_file(subject): _sorted(terms[subject]) for subject in COMMITS}
    return made | {_CORE_FILE: {"@context": _CORE}}


def text(document: dict[str, Any]) -> str:
    """Return a document as it stands in its file."""
    return json.dumps(document, indent=2) + "\n"


def _file_names() -> dict[str, str]:
    return {subject_context(subject): _subject_file(subject) for subject in COMMITS} | {CORE_CONTEXT: _CORE_FILE}


def _subject_file(subject: str) -> str:
    return f"{subject.removeprefix('dataModel.').lower()}.jsonld"


def _iri(subject: str, term: str) -> str:
    return f"https://smartdatamodels.org/{term}" if term in _SHARED else f"https://smartdatamodels.org/{subject}/{term}"


def _sorted(terms: dict[str, str]) -> dict[str, Any]:
    return {"@context": dict(sorted(terms.items()))}


# ETSI GS CIM 009, annex B: the core terms that an entity of ours has.
_CORE: dict[str, Any] = {
    "@version": 1.1,
    "@protected": True,
    "ngsi-ld": _NGSI_LD,
    "geojson": _GEOJSON,
    "id": "@id",
    "type": "@type",
    "DateTime": "ngsi-ld:DateTime",
    "GeoProperty": "ngsi-ld:GeoProperty",
    "Point": "geojson:Point",
    "Property": "ngsi-ld:Property",
    "Relationship": "ngsi-ld:Relationship",
    "coordinates": {"@container": "@list", "@id": "geojson:coordinates"},
    "datasetId": {"@id": "ngsi-ld:datasetId", "@type": "@id"},
    "location": "ngsi-ld:location",
    "object": {"@id": "ngsi-ld:hasObject", "@type": "@id"},
    "observedAt": {"@id": "ngsi-ld:observedAt", "@type": "DateTime"},
    "unitCode": "ngsi-ld:unitCode",
    "value": "ngsi-ld:hasValue",
    "@vocab": "https://uri.etsi.org/ngsi-ld/default-context/",
}

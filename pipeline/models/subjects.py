"""Where the Smart Data Models are published: one pinned commit a subject, so that a record means the same for ever."""

from __future__ import annotations

DEVICE = "dataModel.Device"
ENVIRONMENT = "dataModel.Environment"
WEATHER = "dataModel.Weather"

COMMITS = {
    DEVICE: "96e38834eda502ed6a764e1fa7059a8c3561dcda",
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

"""What a record looks like: the forms of an entity, headers, dead letter, device event.

A new form is one module with an `Encoder`, and its line in `FORMS`.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pipeline.encode.encoder import Encoder, EntityView, Member
from pipeline.encode.flat_json import FLAT
from pipeline.encode.ngsi_ld import CONCISE, NORMALISED

Form = Literal["normalised", "concise", "flat"]
"""What `format` under `streams` may say."""

FORMS: Final[Mapping[Form, Encoder]] = {"normalised": NORMALISED, "concise": CONCISE, "flat": FLAT}
"""Every form of an entity's record, by its name."""

_BY_CONTENT_TYPE: Final = {encoder.content_type: form for form, encoder in FORMS.items()}


def form_of(content_type: str) -> Form | None:
    """Return the form that a record's header `content-type` names, or None for none of ours."""
    return _BY_CONTENT_TYPE.get(content_type)


def read(content_type: str, entity: Mapping[str, Any]) -> EntityView:
    """Read the entity of a record, by its header `content-type`; what is of no known form is taken for normalised."""
    return FORMS[form_of(content_type) or "normalised"].read(entity)


__all__ = ["FORMS", "Encoder", "EntityView", "Form", "Member", "form_of", "read"]

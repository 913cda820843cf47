"""The shipped `@context` documents against the official ones."""

from importlib import resources
from typing import Any

import pytest

from pipeline.core.errors import HeadraceError
from pipeline.models import MODELS, context
from pipeline.models.context import COMMITS, CORE_CONTEXT, documents, subject_context, text
from tests.support import official
from tests.support.ngsi_lint import DEFAULT_VOCABULARY, expand


def test_the_files_are_those_that_the_definitions_make() -> None:
    folder = resources.files("pipeline.models").joinpath("contexts")
    files = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}

    assert files == {name: text(document) for name, document in documents(MODELS.values()).items()}


@pytest.mark.parametrize("subject", COMMITS)
def test_a_subjects_terms_are_the_official_ones(subject: str) -> None:
    ours = context(subject_context(subject))["@context"]
    theirs = official.subject_context(subject)

    assert ours == {term: theirs.get(term) for term in ours}
    assert set(ours) == {term for model in MODELS.values() if model.subject == subject for term in model.terms}


def test_the_core_terms_are_the_official_ones() -> None:
    ours = context(CORE_CONTEXT)["@context"]
    theirs = official.core_context()

    assert ours == {term: theirs.get(term) for term in ours}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_term_expands_as_with_the_official_documents(model: Any) -> None:
    theirs = official.subject_context(model.subject) | official.core_context()
    for term in (*model.terms, "location"):
        iri = expand(term, model.context)

        assert iri == str(theirs[term]).replace("ngsi-ld:", "https://uri.etsi.org/ngsi-ld/")
        assert iri.startswith("https://")
        assert not iri.startswith(DEFAULT_VOCABULARY)


def test_a_term_that_is_not_ours_falls_into_the_default_vocabulary() -> None:
    model = MODELS["AirQualityObserved"]

    assert expand("temprature", model.context) == f"{DEFAULT_VOCABULARY}temprature"


def test_no_term_of_a_model_is_one_that_the_core_would_take_over() -> None:
    terms = {term for model in MODELS.values() for term in model.terms}

    assert terms & official.core_context().keys() == set()


def test_another_address_is_refused() -> None:
    with pytest.raises(HeadraceError, match=r"got 'https://example\.org/context\.jsonld'; no other context is shipped"):
        context("https://example.org/context.jsonld")

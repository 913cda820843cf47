"""Terms of use that contradict each other, and places outside the city: what `check` says."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from pipeline import config
from pipeline.build import options as wiring
from pipeline.config.findings import InvalidConfigError
from pipeline.core.delivery import Batch, Lane, Message
from pipeline.core.record import Record
from pipeline.encode import FORMS, Form
from pipeline.encode import read as read_entity
from pipeline.models import MODELS
from tests.pipeline.config.test_loading import changed, paths, read
from tests.pipeline.flow import ARRIVAL, READING, Memory, headers_of

OPEN = "https://creativecommons.org/licenses/by/4.0/"
STREAM = "streams/AirQualityObserved"


def sent(text: str, fields: dict[str, Any]) -> Record:
    """Return the record that one message becomes."""
    memory, read_config = Memory(), read(text).config
    letters = wiring.dead_letters(read_config)
    router = wiring.router(read_config, "city", publisher=memory, letters=letters, events=memory)
    lane: Lane[None] = Lane(None, 10)
    router.put(Batch(lane.receive(1, None), [Message("city/aq/0001", orjson.dumps(fields), ARRIVAL)]))
    [record] = memory.records
    return record


def findings(text: str) -> dict[str, str]:
    try:
        return {each.path: f"{each.message} {each.fix}" for each in read(text).warnings}
    except InvalidConfigError as problem:
        return {each.path: f"{each.message} {each.fix}" for each in problem.findings}


@pytest.mark.parametrize("closed", ["restricted", "confidential"])
@pytest.mark.parametrize(
    "licence",
    [
        OPEN,
        "http://creativecommons.org/publicdomain/zero/1.0/",
        "https://opendatacommons.org/licenses/odbl/",
        "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0",
    ],
)
def test_closed_data_under_an_open_licence(closed: str, licence: str) -> None:
    said = findings(changed(STREAM, {"classification": closed, "licence": licence}))
    assert list(said) == ["streams.AirQualityObserved.licence"]
    assert f"`{licence}` is open to anyone: it contradicts `classification: {closed}`" in next(iter(said.values()))


@pytest.mark.parametrize(
    "licence", ["https://creativecommons.org/licenses/by-nc/4.0/", "https://data.city.example/terms"]
)
def test_closed_data_under_a_licence_for_few(licence: str) -> None:
    assert paths(changed(STREAM, {"classification": "restricted", "licence": licence})) == []


def test_closed_data_of_the_public_category() -> None:
    said = findings(changed(STREAM, {"classification": "confidential", "category": "public"}))
    assert list(said) == ["streams.AirQualityObserved.category"]
    assert paths(changed(STREAM, {"classification": "confidential", "category": "private"})) == []
    assert paths(changed(STREAM, {"classification": "internal", "category": "public"})) == []


def two_models(streams: dict[str, Any], **topics: str) -> str:
    content = yaml.safe_load(changed())
    connectors = content["connectors"]
    attributes = {"temperature": {"field": "temperature", "unit": "degC"}}
    connectors["weather"] = {**connectors["city-aq"], "model": "WeatherObserved", "attributes": attributes}
    content["feeds"]["city"]["routes"].append({"topic": "city/weather/{device}", "connector": "weather"})
    content["kafka"]["topics"] = topics
    return yaml.safe_dump({**content, "streams": streams})


def test_models_of_unlike_terms_in_one_topic() -> None:
    unlike = {"AirQualityObserved": {"classification": "public"}, "WeatherObserved": {"classification": "internal"}}
    said = findings(two_models(unlike, model="{tenant}.entities.v1"))
    assert list(said) == ["kafka.topics.model"]
    assert "leads AirQualityObserved and WeatherObserved into bench.entities.v1" in said["kafka.topics.model"]
    assert paths(two_models(unlike, model="{tenant}.{model}.v1")) == []
    alike = {name: {"classification": "public"} for name in unlike}
    assert paths(two_models(alike, model="{tenant}.entities.v1")) == []


def test_models_of_unlike_forms_in_one_topic() -> None:
    said = findings(two_models({"WeatherObserved": {"format": "flat"}}, model="{tenant}.entities.v1"))
    assert "and what `streams` says of them differs. Keep `{model}` in the name" in said["kafka.topics.model"]
    assert paths(two_models({"WeatherObserved": {"format": "flat"}}, model="{tenant}.{model}.v1")) == []


@pytest.mark.parametrize(("word", "meant"), [("flatt", "flat"), ("normalized", "normalised"), ("Concise", "concise")])
def test_a_form_that_is_none_gets_the_closest(word: str, meant: str) -> None:
    said = findings(changed(STREAM, {"format": word}))
    assert list(said) == ["streams.AirQualityObserved.format"]
    assert f"`{word}`" in said["streams.AirQualityObserved.format"]
    assert f"`{meant}`" in said["streams.AirQualityObserved.format"]


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_has_the_form_that_it_names(form: Form) -> None:
    record = sent(changed(STREAM, {"format": form}), READING)
    headers = headers_of(record)
    assert headers["content-type"] == FORMS[form].content_type
    entity = read_entity(headers["content-type"], orjson.loads(record.value))
    assert [(each.value, each.unit) for each in entity.members if each.name == "no2"] == [(31.5, "GQ")]


def test_no_terms_at_all_is_a_warning() -> None:
    said = findings(changed("streams", ...))
    assert list(said) == ["streams"]
    assert "every record says `internal` and names neither a licence nor a contact" in said["streams"]
    assert "Write `streams: {AirQualityObserved: {classification: public, licence: <URL>" in said["streams"]


def test_category_and_contact_travel_in_the_headers() -> None:
    terms = {"classification": "public", "licence": OPEN, "category": "public", "contact": "mailto:data@city.example"}
    headers = headers_of(sent(changed(STREAM, terms), READING))
    assert (headers["ce_category"], headers["ce_contact"]) == ("public", "mailto:data@city.example")
    assert not headers_of(sent(changed(), READING)).keys() & {"ce_category", "ce_contact"}


@pytest.mark.parametrize("area", [[4, 53, 5, 52], [5, 52, 4, 53], [-200, 52, 5, 53], [4, 52, 5]])
def test_a_box_that_is_none(area: list[float]) -> None:
    assert [path for path in paths(changed("area", area)) if path.startswith("area")]


def test_a_connectors_place_outside_the_area() -> None:
    content = yaml.safe_load(changed("area", [4.7, 52.2, 5.1, 52.5]))
    content["connectors"]["city-aq"]["location"] = [3.72, 51.05]
    said = findings(yaml.safe_dump(content))
    assert said == {
        "connectors.city-aq.location": "[3.72, 51.05] lies outside `area` [4.7, 52.2, 5.1, 52.5]. "
        "Mend the location, or widen `area`."
    }


def test_a_registered_place_outside_the_area_names_the_swapped_pair(tmp_path: Path) -> None:
    rows = [{"key": "aq-1", "location": [52.37, 4.89]}, {"key": "aq-2", "location": [4.89, 52.37]}]
    (tmp_path / "devices.yaml").write_text(yaml.safe_dump(rows))
    content = yaml.safe_load(changed("area", [4.7, 52.2, 5.1, 52.5])) | {"devices": "devices.yaml"}
    with pytest.raises(InvalidConfigError) as problem:
        config.parse(yaml.safe_dump(content), str(tmp_path / "city.yaml"), {})
    [finding] = problem.value.findings
    assert finding.path == "aq-1.location"
    assert "; the swapped pair lies inside, and longitude comes first." in finding.message
    assert finding.line == yaml.safe_dump(rows).splitlines().index("- key: aq-1") + 2


def test_every_model_can_have_terms() -> None:
    streams = {model: {"classification": "public", "category": "public"} for model in MODELS}
    assert [path for path in paths(changed("streams", streams)) if not path.startswith("warning")] == []

"""The headers of a record: CloudEvents 1.0 in Kafka's binary mode, read by an implementation that is not ours."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat

from pipeline.models import MODELS
from tests.support.ngsi_lint import ID, instant

REQUIRED = {
    "content-type",
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "ce_subject",
    "ce_dataschema",
    "ce_recordedtime",
    "ce_dataclassification",
    "ce_feed",
    "ce_connector",
}
OPTIONAL = {"ce_quality", "ce_idclass", "ce_licence", "ce_category", "ce_contact", "traceparent"}
CLASSIFICATIONS = {"public", "internal", "confidential", "restricted"}
NAME = re.compile(r"ce_[a-z0-9]{1,20}", re.ASCII)
QUALITY = re.compile(r"[a-z_]+(:[A-Za-z]\w*)?(,[a-z_]+(:[A-Za-z]\w*)?)*", re.ASCII)
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def check_headers(headers: Sequence[tuple[str, bytes]], entity: Mapping[str, Any], value: bytes) -> None:
    check_names(headers)
    texts = {name: content.decode("utf-8") for name, content in headers}
    check_identity(texts, entity)
    check_content(texts, entity)
    check_reads_back(dict(headers), entity, value)


def check_names(headers: Sequence[tuple[str, bytes]]) -> None:
    names = [name for name, _ in headers]
    assert len(names) == len(set(names)), f"expected each header once, got {names}"
    for name in names:
        fits = name in {"content-type", "traceparent"} or NAME.fullmatch(name)
        assert fits, f"expected ce_ and at most 20 lower-case letters and digits, got header {name!r}"
    absent, unknown = sorted(REQUIRED - set(names)), sorted(set(names) - REQUIRED - OPTIONAL)
    assert not absent, f"expected the headers {absent}"
    assert not unknown, f"expected only the documented headers, got {unknown}"


def check_identity(texts: Mapping[str, str], entity: Mapping[str, Any]) -> None:
    named = ID.fullmatch(entity["id"])
    assert named
    model = MODELS[entity["type"]]
    expected = {
        "ce_specversion": "1.0",
        "ce_source": f"/tenants/{named['tenant']}",
        "ce_type": f"org.smartdatamodels.{model.subject}.{model.name}",
        "ce_subject": entity["id"],
        "ce_dataschema": model.schema_url,
        "content-type": "application/ld+json",
    }
    for name, text in expected.items():
        assert texts[name] == text, f"expected {name} {text!r}, got {texts[name]!r}"
    start = f"{model.name}:{named['key']}:"
    long_enough = texts["ce_id"].startswith(start) and len(texts["ce_id"]) > len(start)
    assert long_enough, f"expected ce_id to be {start} and what tells readings apart, got {texts['ce_id']!r}"


def check_content(texts: Mapping[str, str], entity: Mapping[str, Any]) -> None:
    carries = MODELS[entity["type"]].time
    observed = entity[carries[-1]]["value"]["@value"] if carries else texts["ce_recordedtime"]
    same = instant(texts["ce_time"], "ce_time") == instant(observed, "the entity")
    assert same, f"expected ce_time {observed}, got {texts['ce_time']}"
    instant(texts["ce_recordedtime"], "ce_recordedtime")
    classification = texts["ce_dataclassification"]
    assert classification in CLASSIFICATIONS, f"expected one of {sorted(CLASSIFICATIONS)}, got {classification!r}"
    assert texts["ce_feed"], "expected ce_feed to name the feed"
    name, _, version = texts["ce_connector"].rpartition("@")
    assert name, f"expected ce_connector name@version, got {texts['ce_connector']!r}"
    assert version, f"expected ce_connector name@version, got {texts['ce_connector']!r}"
    check_optional(texts)


def check_optional(texts: Mapping[str, str]) -> None:
    quality, licence = texts.get("ce_quality", "clock"), texts.get("ce_licence", "https://example.org")
    assert QUALITY.fullmatch(quality), f"expected ce_quality as flags such as clock,type:no2, got {quality!r}"
    assert urlsplit(licence).scheme, f"expected ce_licence to be an IRI, got {licence!r}"
    id_class = texts.get("ce_idclass", "arrival")
    assert id_class == "arrival", f"expected ce_idclass arrival or none, got {id_class!r}"
    trace = texts.get("traceparent")
    assert trace is None or TRACEPARENT.fullmatch(trace), f"expected a W3C traceparent, got {trace!r}"


def check_reads_back(headers: dict[str, bytes], entity: Mapping[str, Any], value: bytes) -> None:
    """Let the CloudEvents SDK read what we wrote and write it again; it spells `time` in its own way."""
    event = from_binary(KafkaMessage(headers=headers, key=None, value=value), JSONFormat())
    assert event.get_data() == entity, "expected the CloudEvents SDK to read the entity from the value"
    again = to_binary(event, JSONFormat()).headers
    ours = {name: text for name, text in headers.items() if name != "traceparent"}
    assert again.keys() == ours.keys(), f"expected the SDK to keep {sorted(ours)}, got {sorted(again)}"
    for name, text in ours.items():
        same = _instant(again[name]) == _instant(text) if name == "ce_time" else again[name] == text
        assert same, f"expected the SDK to read {name} as {text!r}, got {again[name]!r}"


def _instant(text: bytes) -> datetime:
    return datetime.fromisoformat(text.decode()).astimezone(UTC)

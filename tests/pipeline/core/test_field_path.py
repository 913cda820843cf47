"""What a payload held, in sentences: every path that is printed leads back to its value, and nothing here fails."""

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config.document import Document, yaml_text
from pipeline.config.values import field_path
from pipeline.core.field_path import Path, kind, lack, lacking, spelled, told, unprintable

NAMES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
STEPS = st.tuples(NAMES, st.lists(st.one_of(NAMES, st.integers(0, 10**6)), max_size=4)).map(
    lambda parts: (parts[0], *parts[1])
)


@given(STEPS)
@example(("a\"b'c", "''", '""', "", 0, "x."))
@example((" a ", "a\n", "\0", "[0]", "\U0001f600\0"))
def test_a_path_reads_back_from_the_file_that_it_is_pasted_into(steps: tuple[Any, ...]) -> None:
    text = spelled(steps)
    assert field_path(text).steps == steps
    for file in (f"field: {yaml_text(text)}\n", f"{{field: {yaml_text(text)}, unit: degC}}\n"):
        assert yaml.safe_load(file)["field"] == text
    document = Document(f"field: {yaml_text(text)}\n", {})
    assert document.findings or document.value == {"field": text} or "${" in text


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=20))
def test_any_text_reads_back_from_yaml(text: str) -> None:
    assert yaml.safe_load(f"- {yaml_text(text)}\n") == [text]
    assert yaml.safe_load(f"[{yaml_text(text)}, {{a: {yaml_text(text)}}}]\n") == [text, {"a": text}]


def test_each_kind_has_the_name_that_json_gives_it() -> None:
    values: tuple[object, ...] = (None, True, 1, 1.5, "a", [], {}, b"")
    names = "null, a boolean, a number, a number, a text, an array, an object, something that JSON does not have"
    assert ", ".join(map(kind, values)) == names
    said = 'null, true, 1, 1.5, "a", an array, an object, something that JSON does not have'
    assert ", ".join(map(told, values)) == said
    assert told("x" * 100) == '"' + "x" * 56 + '..."'
    assert told(10**5000) == "a number"
    assert told("\ud800\x1b") == '"\\ud800\\u001b"'


def test_absent_null_and_a_way_that_ends_are_three_things() -> None:
    path = Path("a.b[1].c", ("a", "b", 1, "c"))
    assert lack(path, {"a": {"b": [0, {"c": None}]}}) == "field a.b[1].c is null"
    assert lack(path, {"a": {"b": [0]}}) == "field a.b[1].c is not in the payload"
    assert lack(path, {"a": {"b": None}}) == "field a.b[1].c is not in the payload: a.b is null"
    assert lack(path, {"a": "text"}) == "field a.b[1].c is not in the payload: a is a text"
    wrapped = Path("data", ("\0wrapper", "data"))
    assert lack(wrapped, {"\0wrapper": 1}) == "field data is not in the payload"
    both = [Path("t", ("t",)), Path("h", ("h",))]
    assert lacking(both, [{}, {}]) == "Expected at least one of t, h; none is in the payload."
    assert lacking(both, [{"t": None}, {}]) == "Expected at least one of t, h; t is null."
    assert lacking(both, [{"t": None}, {"h": None}]) == "Expected at least one of t, h; t, h are null."


def test_what_cannot_be_printed_is_named() -> None:
    assert unprintable("a\0") == "U+0000 (NUL)"
    assert unprintable("\udc80") == "U+DC80 (half of a surrogate pair)"
    assert unprintable("\u202e") == "U+202E"


def test_a_configuration_and_a_registry_refuse_half_a_pair() -> None:
    said = [str(each) for each in Document('tenant: "\\ud800"\n', {}).findings]
    assert said == ["tenant holds \\ud800, which is half of a surrogate pair, and no character."]

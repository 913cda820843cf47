"""The proofs find what they are for: every vice of a hostile connector, each with its place."""

import re
from dataclasses import replace
from typing import Any

import pytest

from pipeline.conformance import Proof, hostility, prove
from pipeline.core.errors import PayloadError
from pipeline.sdk.connector import Attribute, Example
from pipeline.testing import check_connector, located
from tests.support.vendors import hostile
from tests.support.vendors.acme import th1


def proof(decode: Any, **changes: Any) -> Proof:
    return prove(located(hostile.make(decode, **changes)))


def line(text: str) -> int:
    source = (hostile.__file__ or "", th1.__file__ or "")
    for file in source:
        with open(file, encoding="utf-8") as lines:  # noqa: PTH123
            for number, each in enumerate(lines, 1):
                if text in each:
                    return number
    raise AssertionError(text)


def test_a_good_one_reaches_checked_and_a_source_makes_it_field() -> None:
    made = check_connector(th1.connector, level="checked")
    assert (made.level, made.faults) == ("checked", [])
    assert made.tried >= 2000
    assert made.missing == ["field: add an example of what a device has sent, with its `source`."]
    first, *rest = th1.connector.examples
    captured = replace(th1.connector, examples=(replace(first, source="a field test, firmware 1.2"), *rest))
    assert prove(located(captured)).level == "field"
    with pytest.raises(AssertionError, match="acme/th-1 is checked; expected field"):
        check_connector(th1.connector, level="field")


@pytest.mark.parametrize(
    ("decode", "where", "check", "message"),
    [
        (hostile.leaves, "raise SystemExit", "escapes SystemExit", "expected PayloadError only, got SystemExit"),
        (hostile.struct_error, "uplink.payload[3] / 10", "escapes IndexError", "got IndexError: index out of range"),
        (hostile.returns_text, "", "result", "expected fields, or a list of at most 1000"),
        (hostile.floods, "", "result", "returned 100000 readings"),
        (
            hostile.measures_nothing,
            "",
            "measures nothing",
            "expected PayloadError for a payload of no bytes, got {'t': -32",
        ),
        (hostile.says_nothing, "", "silent", "expected a sentence in PayloadError, got none"),
        (hostile.slow, "", "example 'good'", "expected at most 1 ms, got 3."),
        (hostile.forgets_nothing, "", "example 'good'", "expected the same each time, got {'t': "),
    ],
)
def test_each_vice_is_found(decode: Any, where: str, check: str, message: str) -> None:
    made = proof(decode)
    assert made.level in {"broken", "draft"}
    fault = next(each for each in made.others_fail if each.check == check)
    assert message in fault.message
    assert re.fullmatch(r".*hostile\.py:\d+", fault.where)
    if where:
        assert fault.where.endswith(f":{line(where)}")


def test_a_connector_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostility, "PATIENCE", 0.3)
    made = proof(hostile.never_ends, examples=(hostile.make(hostile.never_ends).examples[0],))
    [fault] = made.others_fail
    assert fault.check == "endless"
    assert fault.message.startswith("expected an end, got none within 0.3 s; the last payload was hex")


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (Example("x", hex="00000000", expect={"temperature": 21.4}), "expected temperature 21.4, got 21.5 (CEL)"),
        (Example("x", hex="00000000", expect={}), "expected no temperature, got 21.5"),
        (
            Example("x", hex="00000000", expect={"temperature": 21.5, "dewPoint": 1.0}),
            "expected dewPoint 1.0, got none",
        ),
        (Example("x", hex="00000000", expect=[{"temperature": 21.5}] * 2), "expected 2 reading(s), got 1"),
        (Example("x", hex="00000000", expect=PayloadError), "expected PayloadError, got [{'t': 21.5}]"),
        (Example("x", hex="00", expect={"temperature": 1.0}), "got payload_error:"),
        (Example("x", hex="00000000", decoded={"t": 21}), "expected [{'t': 21}] decoded, got [{'t': 21.5}]"),
    ],
)
def test_an_example_that_does_not_hold(example: Example, message: str) -> None:
    made = proof(hostile.says_nothing, examples=(example,))
    assert made.level == "broken"
    assert message in made.examples_fail[0].message
    assert made.examples_fail[0].check == "example 'x'"


def test_a_wrong_unit_shows() -> None:
    made = proof(hostile.wrong_unit, attributes={"temperature": Attribute("t", "degF")})
    assert "expected temperature 21.5, got 101.6" in made.examples_fail[0].message
    assert made.missing == [], "a fault stands before it"


def test_what_the_next_level_asks_for() -> None:
    good, bad = hostile.make(hostile.slow).examples
    assert proof(hostile.says_nothing, examples=()).missing == [
        "draft: add an example of a payload and what it becomes."
    ]
    assert "must be refused" in proof(hostile.says_nothing, examples=(good,)).missing[0]
    assert "owner" in proof(hostile.says_nothing, examples=(good, bad), owner=" ").missing[0]


def test_a_declaration_that_cannot_work_fails_an_assertion_too() -> None:
    with pytest.raises(AssertionError, match="Did you mean `temperature`"):
        check_connector(hostile.make(hostile.slow, attributes={"temprature": Attribute("t", "degC")}))


def test_every_truncation_is_tried_and_a_run_repeats() -> None:
    every = list(hostility.payloads(th1.connector.examples, "acme/th-1"))
    assert every == list(hostility.payloads(th1.connector.examples, "acme/th-1"))
    for example in th1.connector.examples:
        whole = example.payload()
        assert {whole[:size] for size in range(len(whole))} <= {payload for payload, _ in every}

"""Files with thousands of routes, or of mistakes, are read in a time that grows with their lines, and told briefly."""

from __future__ import annotations

import difflib
import gc
import json
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import pytest

from loadtests.reading import BASE, routed, unknown
from pipeline import config
from pipeline.config.findings import _COMPARED, InvalidConfigError
from pipeline.core.errors import ConfigError
from pipeline.tools.check import report as check


def read(content: object) -> config.Loaded:
    return config.parse(content if isinstance(content, str) else json.dumps(content), "city.yaml", {})


def refusal(content: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(content)
    return str(caught.value)


def with_connectors(count: int) -> dict[str, Any]:
    """Give each of so many routes a connector and a subscription of its own."""
    made = routed(count)
    feed = made["feeds"]["city"]
    feed["subscribe"] = [each["topic"].replace("{device}", "+") for each in feed["routes"]]
    feed["routes"] = [{**each, "connector": f"aq-{at}"} for at, each in enumerate(feed["routes"])]
    return {**made, "connectors": {f"aq-{at}": BASE["connectors"]["city-aq"] for at in range(count)}}


def with_wrong_names(count: int) -> dict[str, Any]:
    made = with_connectors(count)
    return {**made, "connectors": {f"aw-{at}": BASE["connectors"]["city-aq"] for at in range(count)}}


def accepted(content: object) -> None:
    check.text(read(content))


@pytest.mark.parametrize(
    ("made", "work"),
    [(with_connectors, accepted), (unknown, refusal), (with_wrong_names, refusal)],
    ids=["routes", "unknown keys", "wrong names"],
)
def test_four_times_as_many_lines_take_some_four_times_as_long(
    made: Callable[[int], object], work: Callable[[object], object]
) -> None:
    """With a square in it, it would be sixteen times."""

    def took(lines: int) -> float:
        content = json.dumps(made(lines))
        seconds = []
        gc.collect()
        gc.disable()  # it would look at all that other tests have left, again and again
        for _ in range(2):
            began = process_time()
            work(content)
            seconds.append(process_time() - began)
        gc.enable()
        return min(seconds)

    assert took(4000) < 10 * took(1000)


def test_of_30000_unknown_keys_the_first_100_are_told() -> None:
    said = refusal(unknown(30_000))
    assert said.startswith("city.yaml has 30000 errors; nothing was started.")
    assert said.count("is no key of this section.") == 100
    assert said.endswith("\nand 29,900 more, which mending these may mend too.")
    assert "key_0 " in said


def test_suggestions_for_thousands_of_wrong_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def counted(_: str, words: Sequence[str], **__: object) -> list[str]:
        compared.append(len(list(words)))
        return []

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    said = refusal(with_wrong_names(3000))
    assert sum(compared) <= _COMPARED + max(compared)
    assert said.count("is not under `connectors`.") == 100
    assert len(said) < 150_000
    assert "`aw-0`, `aw-1`, `aw-10`" in said
    assert "2,940 others" in said


def test_a_suggestion_is_made_again_for_the_next_file() -> None:
    refusal(with_wrong_names(3000))
    assert "Did you mean `drain_timeout`?" in refusal({**routed(1), "drain_timout": "3s"})


def test_a_warning_names_the_route_that_hides_another() -> None:
    content = routed(2)
    content["feeds"]["city"]["routes"] += [
        {"topic": "city/+/+/#", "connector": "city-aq", "ignore": False},
        {"topic": "city/7/7/{device}", "ignore": True},
    ]
    content["feeds"]["city"]["routes"][2] = {"topic": "city/+/+/#", "ignore": True}
    [told] = [each for each in read(content).warnings if "never gets" in each.message]
    assert told.place == ("feeds", "city", "routes", 3, "topic")
    assert told.message == "`city/7/7/{device}` never gets a message: routes[2], `city/+/+/#`, takes all."


def test_subscriptions_that_overlap_are_told_once_each() -> None:
    content = routed(1)
    content["feeds"]["city"]["subscribe"] = ["city/#", *(f"city/{n}/#" for n in range(2000))]
    told = [each for each in read(content).warnings if "overlaps with `city/#`" in each.message]
    assert len(told) == 2000


@pytest.mark.parametrize(
    "text",
    [
        "tenant: a\na0: &a0 [x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
        "streams:\n  s0: &s0 {a: 1}\n"
        + "".join(f"  s{n}: &s{n} {{{', '.join(f'k{k}: *s{n - 1}' for k in range(9))}}}\n" for n in range(1, 30)),
        "tenant: " + "[" * 1_000_000,
        "tenant: " + "[" * 900 + "]" * 900,
        "tenant: " + "{a: " * 2000 + "1" + "}" * 2000,
        "tenant: " + "x" * 1_000_000,
        "tenant: a\n? " + "k" * 1_000_000 + "\n: 1\n",
        "tenant: ghent\nfeeds: " + "${NAME}" * 100_000,
        "tenant: a\n" + "a: 1\n" * 50_000,
    ],
    ids=["aliases", "aliases of mappings", "open", "deep", "deep mappings", "scalar", "key", "variables", "twice"],
)
def test_what_is_made_to_be_large_is_refused_briefly(text: str) -> None:
    assert len(refusal(text)) < 50_000


def test_every_error_is_there_for_a_program() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read(unknown(3000))
    assert len(caught.value.findings) == 3000

"""Whatever an operator writes: a Config or a ConfigError, never a traceback, and never the secret."""

import contextlib
import copy
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import config
from pipeline.core.errors import ConfigError
from pipeline.tools.check import report as check

EXAMPLE = (Path(__file__).parents[3] / "deploy" / "examples" / "bench.yaml").read_text()
FULL = (Path(__file__).parent / "golden" / "everything_wrong.yaml").read_text()
SECRET = "hunter2-canary"
ODD: list[Any] = [
    None, True, False, 0, -1, 7, 1e308, float("nan"), float("inf"), 2**70, "", " ", "no", "30s", "256KiB", "${X}", "${",
    "$${X}", "${HOME:-x}", "\x00", "\ud7ff", "é", "a" * 70_000, "#", "+/#", "$share/g/a", "{device}", "mqtt://",
    "mqtt://[::1", "1:2:3", "http://x@y", "mqtt://h:99999", "ws://h/p?q", "a.b[0]", "[", "x\ny", [], {}, [[]], [1, 2],
    [0, 0], [200, 100], {"field": "x"}, {"": ""}, {"field": None, "topic": "x"}, {"kind": "mqtt"}, ["a", None, {}],
]  # fmt: skip


def attempt(text: str, environment: dict[str, str] | None = None) -> str:
    try:
        loaded = config.parse(text, "fuzz.yaml", environment or {})
    except ConfigError as problem:
        return str(problem)
    return check.text(loaded)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


def mutate(value: Any, chance: random.Random) -> Any:
    value = copy.deepcopy(value)
    place = chance.choice(places(value)[1:])
    *way, last = place
    container = value
    for step in way:
        container = container[step]
    kind = chance.randrange(4)
    if kind == 0:
        container[last] = chance.choice(ODD)
    elif kind == 1:
        del container[last]
    elif kind == 2 and isinstance(container, dict):
        container[str(last)[::-1]] = container.pop(last)
    elif isinstance(container, dict):
        container[chance.choice(["password", "tls", "sasl", "location", "x", "ack"])] = chance.choice(ODD)
    return value


@settings(max_examples=400)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_mutated_values(chance: random.Random, times: int) -> None:
    value = yaml.safe_load(EXAMPLE)
    for _ in range(times):
        if places(value)[1:]:
            value = mutate(value, chance)

    assert attempt(yaml.safe_dump(value, allow_unicode=True))


@settings(max_examples=400)
@given(st.randoms(use_true_random=False), st.sampled_from([EXAMPLE, FULL]))
def test_mutated_text(chance: random.Random, text: str) -> None:
    characters = list(text)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(characters))
        characters[at] = chance.choice(
            ["", "\t", ":", "\n", "{", "}", "[", "]", "&a ", "*a ", "!x ", "#", '"', "'", "\x07", "<<: "]
        )

    assert attempt("".join(characters))


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    assert attempt(text)


@settings(max_examples=300)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(["password", "pasword", "token", "key_password", "client_secret"]),
)
def test_a_secret_is_never_shown(chance: random.Random, key: str) -> None:
    value = yaml.safe_load(EXAMPLE)
    written = chance.choice([SECRET, [SECRET], {"value": SECRET}, "${SECRET}", f"mqtt://u:{SECRET}@h"])
    feed = value["feeds"]["city"]
    target = chance.choice([feed, value["kafka"], value, value["connectors"]["city-aq"]])
    target[key] = written
    target.setdefault("tls", {"key_password": SECRET, "x": SECRET})
    feed["url"] = chance.choice([feed["url"], f"mqtt://u:{SECRET}@h", "mqtt://u:${SECRET}@h"])
    value["kafka"]["sasl"] = chance.choice([SECRET, {"password": 1, "username": ""}, {"password": SECRET}, [SECRET]])
    with contextlib.suppress(KeyError):
        value = mutate(value, chance)

    assert SECRET not in attempt(yaml.safe_dump(value), {"SECRET": SECRET})


def test_what_refers_to_itself_is_refused() -> None:
    assert "tenant" in attempt("tenant: &a [*a]\nkafka: &b {x: *b}\n")


def test_what_repeats_itself_without_end_costs_nothing() -> None:
    lines = ["a: &a0 [x]"] + [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    assert attempt("\n".join(lines))


def test_what_is_nested_too_deep_is_refused() -> None:
    assert "nested" in attempt("a: " + "[" * 5000 + "]" * 5000)
    assert "nested" in attempt("a: " + "[" * 100 + "]" * 100)

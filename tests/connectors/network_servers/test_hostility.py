"""Whatever a message holds: a reader raises PayloadError or says something that the engine can take."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PayloadError
from pipeline.core.times import LATEST
from pipeline.plugins.discovery import dialects
from pipeline.sdk.dialect import Dialect, Event, Said
from pipeline.sdk.uplink import Uplink
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import ARRIVAL, UPLINKS

FOUND = {each.name: each for each in dialects() if isinstance(each, Dialect)}
DRAWS, EACH = 200, 100
"""20,000 damaged messages a dialect: as many draws of hypothesis, and as many messages of each."""

NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 255, 256, 2**32, 2**63, 2**64 - 1, 10**400, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", "0", "1", "-1", "nan", "1e999", "1_0", "9" * 5000, "\u0661", "\x00", "\ud83d\ude00", "AA==",
    "AA=", "00", "0", "zz", "00-11-22-33-44-55-66-77", "2023-12-12T16:05:18+01:00", "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", "2023-12-12", [], [[]], [None], [{}], {}, {"": None}, {"a": {"b": [1, {"c": 2}]}},
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def places(message: Any) -> list[tuple[Any, Any]]:
    """List each container of a message with each key or index in it."""
    found: list[tuple[Any, Any]] = []
    containers = [message]
    for container in containers:
        for key in container if container.__class__ is dict else range(len(container)):
            found.append((container, key))
            if container[key].__class__ in {dict, list}:
                containers.append(container[key])
    return found


def damaged(message: Any, chance: random.Random) -> bytes:
    copy = orjson.loads(orjson.dumps(message))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = places(copy)
        if not found:
            break
        container, key = chance.choice(found)
        kind = chance.randrange(5)
        if kind == 0 and isinstance(container, dict):
            del container[key]
        elif kind == 1:
            container[key] = [container[key]]
        elif kind == 2 and isinstance(container, dict):
            container[key.swapcase()] = container.pop(key)
        else:
            container[key] = deepcopy(chance.choice(NASTY))
    written = json.dumps(copy).encode()
    if chance.randrange(10) == 0:
        at = chance.randrange(len(written))
        written = written[:at] + bytes([chance.randrange(256)]) * chance.randrange(3) + written[at + 1 :]
    return written


def check(dialect: Dialect, topic: str, payload: bytes) -> None:
    try:
        said = dialect.reader(topic)(payload, ARRIVAL)
    except PayloadError as refused:
        assert str(refused)[0].isupper()
        assert len(str(refused)) < 1500
        return
    assert said
    for each in said:
        check_said(each)


def check_said(said: Said) -> None:
    assert isinstance(said, Uplink | Event)
    assert said.time is None or (said.time.__class__ is int and 0 <= said.time <= LATEST)
    names = said.names()
    assert all(text is None or isinstance(text, str) for text in (names.name, names.brand, names.model, names.profile))
    assert all(isinstance(text, str) for pair in names.tags.items() for text in pair)
    if isinstance(said, Event):
        assert said.device or said.gateway or names.name
        orjson.dumps((said.details, said.state))
        return
    assert len(bytes.fromhex(said.device)) == 8
    assert said.port is None or 1 <= said.port <= 255
    assert said.f_cnt is None or 0 <= said.f_cnt < 2**32
    assert said.dev_addr is None or len(bytes.fromhex(said.dev_addr)) == 4
    assert said.payload.__class__ is bytes
    for heard in said.receptions():
        assert isinstance(heard.gateway, str)
        assert heard.gateway
        orjson.dumps((heard.rssi, heard.snr, heard.time, heard.location))


@pytest.mark.parametrize("name", UPLINKS)
def test_damaged_messages(name: str) -> None:
    dialect = FOUND[name]
    messages = [UPLINKS[name], UPLINKS[name], *EVENTS[name]]

    @settings(max_examples=DRAWS, suppress_health_check=list(HealthCheck), database=None)
    @given(st.integers(0, 2**64 - 1))
    def run(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(EACH):
            topic, message = chance.choice(messages)
            payload = damaged(message, chance)
            try:
                check(dialect, topic, payload)
            except Exception as error:
                raise AssertionError(f"{topic}: {payload!r}") from error

    run()


@pytest.mark.parametrize("name", UPLINKS)
@given(payload=st.binary(max_size=60), value=ANYTHING, other=st.text("/aclose0123456789up-", max_size=40))
def test_any_bytes_any_json_and_any_topic(name: str, payload: bytes, value: Any, other: str) -> None:
    topic, message = UPLINKS[name]
    written = json.dumps(value).encode()
    for each in (payload, written, b'{"deveui":' + written + b"}"):
        check(FOUND[name], topic, each)
        check(FOUND[name], other, each)
    check(FOUND[name], other, orjson.dumps(message))


@pytest.mark.parametrize("name", FOUND)
@given(payload=st.binary(max_size=60), value=ANYTHING, topic=st.text(max_size=30))
def test_recognising_never_fails(name: str, payload: bytes, value: Any, topic: str) -> None:
    document = value if isinstance(value, dict) else None
    assert FOUND[name].recognises(topic, payload, document) in (True, False)
    assert FOUND[name].recognises(topic, payload, None) in (True, False)


@pytest.mark.parametrize("name", UPLINKS)
def test_recognising_a_damaged_message_never_fails(name: str) -> None:
    chance = random.Random(1)
    for _ in range(2000):
        topic, message = chance.choice([UPLINKS[name], *EVENTS[name]])
        payload = damaged(message, chance)
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict):
            for dialect in FOUND.values():
                assert dialect.recognises(topic, payload, document) in (True, False)

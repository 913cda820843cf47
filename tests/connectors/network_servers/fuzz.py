"""Messages that no server sends: mutated real ones, and noise. A reader may refuse them; nothing else may escape."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from random import Random
from typing import Any

import orjson

from pipeline.core.errors import PayloadError
from pipeline.sdk.dialect import Dialect, Event, Frame, Said
from pipeline.sdk.uplink import Uplink

A_SEED = 100  # cases of one seed: hypothesis takes longer to draw a case than a reader to read it
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 255, 256, 2**31, 2**32, 2**63, 2**64 - 1, -(2**63), 0.5, -0.0, 1e308, -1e308,
    "", " ", "0", "1e999", "NaN", "ä", "\u0000", "AA==", "AA=", "A", "zz", "0" * 16, "0" * 17, "9" * 5000, "[" * 40,
    "1970-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "0001-01-01T00:00:00.000Z", "2026-11-23T04:07:04.163",
    [], [[]], [None], {}, {"": None}, {"location": {}}, [{"gatewayId": 1}], {"a": {"a": {"a": [{"a": 1}]}}},
)  # fmt: skip


def cases(seed: int, messages: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return A_SEED topics and payloads, made from `messages` in a way that the seed decides."""
    random = Random(seed)
    return [_case(random, *random.choice(messages), messages) for _ in range(A_SEED)]


def _case(random: Random, topic: str, payload: bytes, messages: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    other_topic = random.choice(messages)[0]
    topic = random.choice((topic, topic, topic, other_topic, "", "a/b", topic[: random.randrange(len(topic) + 1)]))
    change: Callable[[Random, bytes], bytes] = random.choice((_bytes, _bytes, _values, _values, _values, _noise))
    return topic, change(random, payload)


def _bytes(random: Random, payload: bytes) -> bytes:
    changed = bytearray(payload)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(5):
            case 0:
                del changed[at : at + random.choice((1, 2, 30))]
            case 1:
                changed[at:at] = random.randbytes(random.choice((1, 2, 9)))
            case 2:
                del changed[at:]
            case 3 if changed:
                changed[at % len(changed)] = random.randrange(256)
            case _:
                changed[at:at] = changed[: random.randrange(len(changed) + 1)]
    return bytes(changed)


def _values(random: Random, payload: bytes) -> bytes:
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _bytes(random, payload)
    for _ in range(random.choice((1, 1, 2, 5))):
        _replace(random, message)
    return orjson.dumps(message)


def _replace(random: Random, value: Any) -> None:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not keys:
        return
    key = random.choice(keys)
    if isinstance(value[key], dict | list) and value[key] and random.random() < 0.7:
        _replace(random, value[key])
    elif random.random() < 0.2:
        del value[key]
    else:
        value[key] = deepcopy(random.choice(ODD))


def _noise(random: Random, _: bytes) -> bytes:
    start = random.choice((b"", b"{", b"[", b'{"deviceInfo":{}', b"\x0a\x24"))
    return start + random.randbytes(random.randrange(40))


def hold(dialect: Dialect, topic: str, payload: bytes) -> int:
    """Read a message, and all that it leaves for later; return how many things it says, 0 if it is refused."""
    try:
        said = dialect.reader(topic)(payload, 1)
    except PayloadError as refused:
        assert str(refused)
        return 0
    for each in said:
        _hold(each)
    return len(said)


def _hold(said: Said) -> None:
    if isinstance(said, Frame):
        _hold_frame(said)
        return
    assert isinstance(said, Uplink | Event)
    assert said.time is None or 0 <= said.time <= 253_402_300_799_999
    said.names()
    if isinstance(said, Event):
        assert said.device is None or re.fullmatch("[0-9a-f]{16}", said.device)
        orjson.dumps([said.details, said.state])
        assert all(isinstance(level, str) or 0 <= level <= 1 for level in said.state.values())
        return
    assert re.fullmatch("[0-9a-f]{16}", said.device)
    assert said.payload.__class__ is bytes
    assert said.port is not None
    assert 0 < said.port < 256
    assert said.f_cnt is None or 0 <= said.f_cnt < 2**32
    assert said.dev_addr is None or re.fullmatch("[0-9a-f]{8}", said.dev_addr)
    assert all(each.gateway for each in said.receptions())
    with suppress(PayloadError):
        dict(said.fields or {})


def _hold_frame(said: Frame) -> None:
    assert said.phy_payload.__class__ is bytes
    assert 0 < said.frequency < 2**34
    assert said.data_rate
    assert said.crc_ok in (True, False, None)
    heard = said.reception
    assert re.fullmatch("[0-9a-f]{16}", heard.gateway)
    assert heard.time is None or 1_420_070_400_000 <= heard.time <= 253_402_300_799_999
    orjson.dumps((heard.rssi, heard.snr, heard.location))

"""Frames are taken apart by their lengths; whatever the bytes are, nothing but a refusal escapes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PayloadError, Reason
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.phy_payload import LONGEST, DataUp, JoinRequest, parse
from tests.support.lorawan import data_up, join_request, session

KEYS = session("26011bda", version="1.0")
FRAME = data_up(KEYS, 5, b"\xff\xce\x37", port=2, f_opts=b"\x02")


def test_a_frame_in_full() -> None:
    frame = parse(data_up(KEYS, 70_000, b"\xff\xce\x37", port=2, f_opts=b"\x02", confirmed=True))
    assert isinstance(frame, DataUp)
    assert (frame.dev_addr, frame.f_cnt, frame.f_opts, frame.port) == ("26011bda", 70_000 - 65_536, b"\x02", 2)
    assert frame.confirmed
    keys = Keys(KEYS)
    assert keys.verifies(frame, 70_000)
    assert not keys.verifies(frame, frame.f_cnt)
    assert keys.payload(frame, 70_000) == b"\xff\xce\x37"


def test_no_port_is_not_port_0_is_not_an_empty_payload() -> None:
    for port in (None, 0, 9):
        frame = parse(data_up(KEYS, 1, b"", port))
        assert isinstance(frame, DataUp)
        assert (frame.port, frame.payload) == (port, b"")


def test_port_0_is_the_networks() -> None:
    frame = parse(data_up(KEYS, 1, b"\x02\x03", port=0))
    assert isinstance(frame, DataUp)
    assert Keys(KEYS).payload(frame, 1) == b"\x02\x03"


def test_a_session_of_1_1() -> None:
    keys = session("26011bda", version="1.1")
    frame = parse(data_up(keys, 3, b"hello, network", f_opts=b"\x02\x05", front=b"\x07\x00\x02\x01"))
    assert isinstance(frame, DataUp)
    assert frame.f_opts != b"\x02\x05"
    ciphers = Keys(keys)
    assert ciphers.verifies(frame, 3)
    assert not ciphers.verifies(frame, 4)
    assert ciphers.f_opts(frame, 3) == b"\x02\x05"
    assert ciphers.payload(frame, 3) == b"hello, network"


def test_joins() -> None:
    assert parse(join_request("0102030405060708", "1112131415161718", 513)) == JoinRequest(
        "0102030405060708", "1112131415161718", 513
    )
    rejoin = bytes.fromhex("c0 00 010203 0807060504030201 0500 aabbccdd")
    assert parse(rejoin) == JoinRequest("0102030405060708", None, 5, rejoin=0, net_id="030201")
    rejoin = bytes.fromhex("c0 01 1817161514131211 0807060504030201 0500 aabbccdd")
    assert parse(rejoin) == JoinRequest("0102030405060708", "1112131415161718", 5, rejoin=1)


@pytest.mark.parametrize(
    ("phy", "expected"),
    [
        (b"", "at most 255 bytes, got 0"),
        (bytes(4), "got 4"),
        (b"\x40" + bytes(LONGEST), "got 256"),
        (b"\x40" + bytes(10), "at least 12 bytes, got 11"),
        (b"\x41" + FRAME[1:], "major version 0"),
        (b"\x20" + FRAME[1:], "a join-accept"),
        (b"\x60" + FRAME[1:], "a data frame of the network"),
        (b"\xa0" + FRAME[1:], "a data frame of the network"),
        (b"\xe0" + FRAME[1:], "proprietary"),
        (bytes(22), "join-request of 23 bytes, got 22"),
        (bytes(24), "join-request of 23 bytes, got 24"),
        (b"\xc0\x03" + bytes(17), "got type 3 in 19 bytes"),
        (b"\xc0\x01" + bytes(17), "got type 1 in 19 bytes"),
        (FRAME[:5] + b"\x0f" + FRAME[6:], "FOptsLen says 15 bytes, but 5 are left"),
        (data_up(KEYS, 1, b"\x02", port=0, f_opts=b"\x02"), "at once"),
    ],
)
def test_refused(phy: bytes, expected: str) -> None:
    with pytest.raises(PayloadError, match=expected) as caught:
        parse(phy)
    assert caught.value.reason is Reason.FRAME_INVALID


def test_every_truncation() -> None:
    for size in range(len(FRAME)):
        try:
            frame = parse(FRAME[:size])
        except PayloadError:
            continue
        assert isinstance(frame, DataUp)
        assert not Keys(KEYS).verifies(frame, 5)


HEADERS = [bytes([kind << 5 | low]) for kind in range(8) for low in (0, 0, 0, 1, 4)]
SEEDS, FRAMES = 200, 100
"""20,000 frames: a draw of hypothesis costs more than a parse, so each seed makes many."""


def any_frame(chance: random.Random) -> bytes:
    few = chance.choice((range(256), (0, 1, 255)))
    some, more = chance.randrange(301), chance.randrange(41)
    head, size = chance.choice(((b"", some), (chance.choice(HEADERS), more), (chance.choice(HEADERS), 18 + more % 6)))
    return head + bytes(chance.choices(few, k=size))


@settings(max_examples=SEEDS)
@given(st.integers(0, 2**64 - 1))
def test_fuzz(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(FRAMES):
        phy = any_frame(chance)
        try:
            check(phy)
        except Exception as error:
            raise AssertionError(phy.hex()) from error


def check(phy: bytes) -> None:
    try:
        frame = parse(phy)
    except PayloadError as refusal:
        assert refusal.reason is Reason.FRAME_INVALID
        return
    if isinstance(frame, JoinRequest):
        assert len(frame.dev_eui) == 16
        return
    port = b"" if frame.port is None else bytes([frame.port])
    address = bytes.fromhex(frame.dev_addr)[::-1]
    counter = frame.f_cnt.to_bytes(2, "little")
    whole = address + bytes([frame.f_ctrl]) + counter + frame.f_opts + port + frame.payload
    assert phy[1:] == whole + frame.mic, "every byte has its place"

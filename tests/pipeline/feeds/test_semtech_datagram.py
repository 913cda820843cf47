"""One datagram of Semtech's gateway protocol: every captured one, and whatever else bytes may be."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.feeds.semtech_udp import Datagram, Identifier, parse

EUI = bytes.fromhex("A84041FFFF1E0B02")
ANSWERS = {"PUSH_DATA": "PUSH_ACK", "PULL_DATA": "PULL_ACK"}


def test_each_identifier_of_a_gateway() -> None:
    head, gateway = b"\x02\xab\xcd", "a84041ffff1e0b02"

    assert parse(head + b"\x00" + EUI + b"{}") == Datagram(Identifier.PUSH_DATA, gateway, head + b"\x01", b"{}")
    assert parse(head + b"\x02" + EUI) == Datagram(Identifier.PULL_DATA, gateway, head + b"\x04", b"")
    assert parse(head + b"\x05" + EUI) == Datagram(Identifier.TX_ACK, gateway, b"", b"")


def test_version_1_is_answered_in_version_1() -> None:
    said = parse(b"\x01\x00\x01\x00" + EUI + b"{}")

    assert said is not None
    assert said.answer == b"\x01\x00\x01\x01"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\xab\xcd\x00" + EUI[:7],
        b"\x00\xab\xcd\x00" + EUI,
        b"\x03\xab\xcd\x00" + EUI,
        b"\x02\xab\xcd\x01" + EUI,
        b"\x02\xab\xcd\x03" + EUI,
        b"\x02\xab\xcd\x04" + EUI,
        b"\x02\xab\xcd\x06" + EUI,
        b'{"rxpk":[]}' * 3,
    ],
)
def test_what_no_gateway_sends(data: bytes) -> None:
    assert parse(data) is None


def test_every_captured_datagram(shared_data: Path) -> None:
    """What gateways sent is read; what the real bridge answered is what we would answer."""
    lines = [json.loads(line) for line in (shared_data / "chirpstack" / "udp.jsonl").read_text().splitlines()]
    answered = {(each["gw"], each["type"], each["hex"]) for each in lines if each["type"].endswith("_ACK")}
    sent = [each for each in lines if each["dir"] == "gw->bridge"]
    matched = 0
    for each in sent:
        data = bytes.fromhex(each["hex"])
        said = parse(data)
        assert said is not None
        assert (said.identifier.name, said.gateway) == (each["type"], each["gw"])
        assert said.body == data[12:]
        matched += (each["gw"], ANSWERS.get(each["type"], ""), said.answer.hex()) in answered
    assert len(sent) > 400
    assert matched > 400
    assert not [each for each in lines if each["type"] == "PULL_RESP" and parse(bytes.fromhex(each["hex"]))]


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_any_bytes(seed: int) -> None:
    choose = Random(seed)
    for _ in range(100):
        data = choose.randbytes(choose.randint(0, 40))
        if choose.random() < 0.8:  # most have a header, or nearly
            data = bytes((choose.randint(0, 3), 0, 0, choose.randint(0, 6))) + data
        said = parse(data)
        if said is not None:
            assert data.endswith(said.body)
            assert len(said.gateway) == 16
            assert said.answer[:3] in (b"", data[:3])

"""The device registry: lookup by every name, and keys that are never shown."""

from __future__ import annotations

import copy
import logging
import pickle
from dataclasses import asdict

import pytest

from pipeline.devices.registry import Device, DeviceRegistry, Key, Session

SECRET = bytes.fromhex("5ec2e75ec2e75ec2e75ec2e75ec2e7aa")
KEY = Key(SECRET)
SESSION = Session("01ab23cd", "1.0", KEY, KEY, KEY, KEY)
HALL = Device("th-17", dev_eui="00112233445566aa", aliases=("hall-3", "h3"), sessions=(SESSION,))
ROOF = Device("th-18", sessions=(SESSION,))
DEVICES = DeviceRegistry([HALL, ROOF])


@pytest.mark.parametrize(
    "name",
    [
        "th-17",
        "hall-3",
        "h3",
        "00112233445566aa",
        "00112233445566AA",
        "00-11-22-33-44-55-66-AA",
        "00:11:22:33:44:55:66:aa",
    ],
)
def test_a_device_is_found_by_each_of_its_names(name: str) -> None:
    assert DEVICES.by_name(name) is HALL


def test_what_is_not_there_is_none() -> None:
    assert DEVICES.by_name("TH-17") is None
    assert DEVICES.by_name("00112233445566ab") is None
    assert DEVICES.by_eui("th-17") is None
    assert list(DEVICES.sessions("ffffffff")) == []
    assert list(DeviceRegistry()) == []
    assert len(DeviceRegistry()) == 0


def test_a_registry_is_counted_and_walked_in_the_order_of_its_file() -> None:
    assert len(DEVICES) == 2
    assert list(DEVICES) == [HALL, ROOF]
    assert DEVICES.by_eui("00112233445566aa") is HALL


def test_several_devices_may_share_one_dev_addr() -> None:
    assert list(DEVICES.sessions("01ab23cd")) == [(HALL, SESSION), (ROOF, SESSION)]


def test_a_key_is_never_shown() -> None:
    text = " ".join(
        [
            repr(KEY),
            str(KEY),
            f"{KEY}",
            f"{KEY!r:>40}",
            repr(SESSION),
            repr(HALL),
            str(asdict(HALL)),
        ]
    )
    text += logging.makeLogRecord({"msg": "%s %s %r", "args": (HALL, KEY, KEY)}).getMessage()
    assert "5ec2" not in text.lower()
    assert repr(SECRET)[2:-1] not in text
    assert "not shown" in text


def test_a_key_is_its_bytes_to_whoever_computes() -> None:
    assert bytes(KEY) == SECRET
    assert KEY == SECRET
    assert repr(copy.deepcopy(KEY)) == repr(pickle.loads(pickle.dumps(KEY))) == "Key(not shown)"


def test_a_key_of_another_length_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="Expected a key of 16 bytes, got 15") as refusal:
        Key(SECRET[:15])
    assert "5ec2" not in str(refusal.value)

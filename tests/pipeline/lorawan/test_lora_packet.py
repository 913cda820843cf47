"""10,000 frames of an implementation that is not ours (npm: lora-packet), in both versions of LoRaWAN."""

import json

import pytest

from pipeline.devices.registry import Key, Session
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.phy_payload import DataUp, parse
from tests.support.toolchain import lora_frames

pytestmark = pytest.mark.real
COUNT = 10_000


def test_it_agrees_on_every_field_mic_and_payload() -> None:
    by_chance = 0  # half a MIC is two bytes
    seen = {"1.0": 0, "1.1": 0, "port 0": 0, "high counter": 0, "mic commands": 0}
    for line in lora_frames(COUNT, seed=1):
        made = json.loads(line)
        phy = bytes.fromhex(made["phy"])
        frame = parse(phy)
        assert isinstance(frame, DataUp)
        f_cnt = made["fCnt"]
        assert (frame.dev_addr, frame.f_cnt) == (made["devAddr"], f_cnt & 0xFFFF), line
        assert (frame.port, frame.confirmed) == (made["port"], made["confirmed"]), line
        names = ("appSKey", "fNwkSIntKey", "sNwkSIntKey", "nwkSEncKey")
        keys = Keys(Session(made["devAddr"], made["version"], *(Key(bytes.fromhex(made[name])) for name in names)))
        assert keys.verifies(frame, f_cnt), line
        assert keys.payload(frame, f_cnt).hex() == made["payload"], line
        assert keys.f_opts(frame, f_cnt).hex() == made["fOpts"], line

        # What is not so is not found so: another counter, a changed bit, a changed MIC.
        half = made["version"] == "1.1"
        by_chance += half and keys.verifies(frame, (f_cnt + 65_536) % 2**32)
        assert half or not keys.verifies(frame, (f_cnt + 65_536) % 2**32), line
        changed = parse(phy[:-5] + bytes([phy[-5] ^ 1]) + phy[-4:])
        assert isinstance(changed, DataUp)
        by_chance += half and keys.verifies(changed, f_cnt)
        assert half or not keys.verifies(changed, f_cnt), line
        wrong = parse(phy[:-1] + bytes([phy[-1] ^ 1]))
        assert isinstance(wrong, DataUp)
        assert not keys.verifies(wrong, f_cnt), line

        seen[made["version"]] += 1
        seen["port 0"] += made["port"] == 0
        seen["high counter"] += f_cnt > 0xFFFF
        seen["mic commands"] += bool(made["fOpts"])
    assert by_chance <= 2
    assert seen["1.0"] + seen["1.1"] == COUNT
    assert min(seen.values()) > COUNT // 50, seen

"""Known answers of three LoRaWAN implementations (brocaar/lorawan, lora-packet, The Things Stack)."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PayloadError, Reason
from pipeline.devices.registry import Key, Session
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.phy_payload import DataUp, JoinRequest, parse
from tests.support.lorawan import cmac, crypt, derived, join_accept, mic_11

Vector = dict[str, Any]
NO_KEY = "00" * 16


def load(folder: Path, name: str) -> list[Vector]:
    loaded: list[Vector] = json.loads((folder / "lorawan-vectors" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def session_of(vector: Vector) -> Session:
    def key(*names: str) -> Key:
        return Key(bytes.fromhex(next((vector[name] for name in names if name in vector), NO_KEY)))

    dev_addr = vector["parsed"]["devAddr"]
    f, s, e = key("FNwkSIntKey", "NwkSKey", "NwkSEncKey"), key("SNwkSIntKey"), key("NwkSEncKey", "NwkSKey")
    version = vector["version"]
    return Session(dev_addr, version, key("AppSKey"), f, s if version == "1.1" else f, e if version == "1.1" else f)


def test_every_vector_is_of_a_kind_that_is_tested(shared_data: Path) -> None:
    vectors = load(shared_data, "vectors")
    kinds = [kind_of(vector) for vector in vectors]
    assert len(vectors) == 24
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "cipher": 2,
        "data_up": 15,
        "join_request": 2,
        "of_the_network": 5,
    }


def kind_of(vector: Vector) -> str:
    if "phyPayload" not in vector:
        return "cipher"
    kind = vector["parsed"]["mtype"]
    return {"UnconfirmedDataUp": "data_up", "JoinRequest": "join_request"}.get(kind, "of_the_network")


def test_data_up(shared_data: Path) -> None:
    verified = 0
    for vector in load(shared_data, "vectors"):
        if kind_of(vector) != "data_up":
            continue
        frame, parsed = parse(bytes.fromhex(vector["phyPayload"])), vector["parsed"]
        assert isinstance(frame, DataUp)
        assert (frame.dev_addr, frame.f_cnt, frame.port) == (parsed["devAddr"], parsed["fCnt"], parsed["fPort"])
        assert (frame.f_opts.hex(), frame.payload.hex()) == (parsed["fOpts"], parsed["frmPayload"])
        assert (frame.mic.hex(), frame.confirmed) == (parsed["mic"], False)
        flags = {"adr": 0x80, "adrAckReq": 0x40, "ack": 0x20, "classB_or_fPending": 0x10}
        assert {name: bool(frame.f_ctrl & bit) for name, bit in flags.items()} == {each: parsed[each] for each in flags}

        keys = Keys(session_of(vector))
        if any(each.startswith("mic1") for each in vector["verified"]):
            assert keys.verifies(frame, frame.f_cnt) is vector.get("mic_ok", True), vector["name"]
            assert not keys.verifies(frame, frame.f_cnt + 65536)
            verified += 1
        if "plaintext" in vector:
            assert keys.payload(frame, frame.f_cnt).hex() == vector["plaintext"], vector["name"]
    assert verified == 13


def test_the_whole_mic_of_1_1(shared_data: Path) -> None:
    """The half that is verified here stands where we look for it."""
    tested = 0
    for vector in load(shared_data, "vectors"):
        [claim] = [each for each in vector["verified"] if each.startswith("mic11(")] or [""]
        if claim:
            numbers = dict(each.split("=") for each in claim[6:-1].split(","))
            front = int(numbers["confFCnt"]).to_bytes(2, "little") + bytes([int(numbers["dr"]), int(numbers["ch"])])
            phy, session = bytes.fromhex(vector["phyPayload"]), session_of(vector)
            f_cnt = vector["parsed"]["fCnt"]
            s_key, f_key = session.s_nwk_s_int_key, session.f_nwk_s_int_key
            assert mic_11(s_key, f_key, session.dev_addr, f_cnt, phy[:-4], front=front) == phy[-4:]
            tested += 1
    assert tested == 4


def test_what_a_network_sends_is_named_and_refused(shared_data: Path) -> None:
    for vector in load(shared_data, "vectors"):
        if kind_of(vector) == "of_the_network":
            with pytest.raises(PayloadError, match=r"of the network|join-accept") as caught:
                parse(bytes.fromhex(vector["phyPayload"]))
            assert caught.value.reason is Reason.FRAME_INVALID


def test_fopts_of_1_1(shared_data: Path) -> None:
    [vector] = [each for each in load(shared_data, "vectors") if "fOptsPlain" in each]
    parsed = vector["parsed"]
    key, octets = bytes.fromhex(vector["NwkSEncKey"]), bytes.fromhex(parsed["fOpts"])
    a_f_cnt_down = b"\0\0\0\2"
    clear = crypt(key, parsed["devAddr"], parsed["fCnt"], octets, down=True, zeros=a_f_cnt_down)
    assert clear.hex() == vector["fOptsPlain"]


def test_ciphers_and_joins(shared_data: Path) -> None:
    for vector in load(shared_data, "vectors"):
        if kind_of(vector) == "cipher":
            key, plain = bytes.fromhex(vector["key"]), bytes.fromhex(vector["plaintext"])
            down = not vector["uplink"]
            assert crypt(key, vector["devAddr"], vector["fCnt"], plain, down=down).hex() == vector["ciphertext"]
        elif kind_of(vector) == "join_request":
            phy, parsed = bytes.fromhex(vector["phyPayload"]), vector["parsed"]
            assert parse(phy) == JoinRequest(parsed["devEUI"], parsed["joinEUI"], parsed["devNonce"])
            assert (cmac(bytes.fromhex(vector["AppKey"]), phy[:-4])[:4] == phy[-4:]) is vector["mic_ok"]


def test_join_accepts(shared_data: Path) -> None:
    for vector in load(shared_data, "join_accept"):
        phy, key = bytes.fromhex(vector["phyPayload"]), bytes.fromhex(vector["AppKey"])
        clear = join_accept(key, phy)
        assert clear.hex() == vector["decrypted"]
        assert (cmac(key, clear[:-4])[:4] == clear[-4:]) is vector["mic10_ok"]
        with pytest.raises(PayloadError, match="a join-accept"):
            parse(phy)


KINDS = {"NwkSKey": 1, "AppSKey": 2, "FNwkSIntKey": 1, "SNwkSIntKey": 3, "NwkSEncKey": 4, "JSIntKey": 6, "JSEncKey": 5}
WOR_KINDS = {"RootWorSKey": 1, "WorSIntKey": 1, "WorSEncKey": 2}


def test_key_derivation(shared_data: Path) -> None:
    derivations = load(shared_data, "key_derivation")
    assert len(derivations) == 8
    for vector in derivations:
        given = {name.lower(): value for name, value in vector["inputs"].items()}
        for name, expected in vector["outputs"].items():
            assert _derive(name, given).hex() == expected, (vector["name"], name)


def _derive(name: str, given: dict[str, str]) -> bytes:
    if name in WOR_KINDS:
        address = given.get("devaddr", "")[:8]  # one vector has a ninth digit, which lora-packet's parser drops too
        return derived(bytes.fromhex(given["worrootkey"]), WOR_KINDS[name], bytes.fromhex(address))
    root = given["nwkkey"] if "nwkkey" in given and name != "AppSKey" else given["appkey"]
    joined = ("appnonce", "joineui" if "joineui" in given else "netid", "devnonce")
    names = ("deveui",) if name.startswith("JS") else joined
    return derived(bytes.fromhex(root), KINDS[name], *(bytes.fromhex(given[each]) for each in names))

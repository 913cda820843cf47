"""Frames as two phases of a captured network sent them, held against the ground truth of each."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import Reason
from pipeline.devices.registry import Device, Key, Session
from pipeline.lorawan.statistics import FrameOutcome
from pipeline.sdk.dialect import Event, Frame
from pipeline.sdk.uplink import Reception, Uplink
from tests.pipeline.lorawan.rig import WINDOW, Clock, Worker

Truth = dict[str, Any]
CRC = {1: True, -1: False, 0: False}  # 0: the frame has none


def session(of: dict[str, str]) -> Session:
    nwk, app = (Key(bytes.fromhex(of[name])) for name in ("nwk_s_key", "app_s_key"))
    return Session(of["dev_addr"], "1.0", app, nwk, nwk, nwk)


@pytest.fixture
def devices(shared_data: Path) -> list[Device]:
    listed = json.loads((shared_data / "chirpstack" / "devices.json").read_text(encoding="utf-8"))
    return [
        Device(each["name"], dev_eui=each["dev_eui"], sessions=tuple(map(session, each["otaa_sessions"] or [each])))
        for each in listed
    ]


@pytest.fixture
def truth(shared_data: Path) -> list[Truth]:
    lines = (shared_data / "chirpstack" / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    # The server has no channel for LR-FHSS, never saw those frames, and their device used their counters again.
    return [each for each in map(json.loads, lines) if "phy_hex" in each and "LR-FHSS" not in (each["note"] or "")]


def frames(line: Truth) -> Iterator[Frame]:
    """Make a frame of each reception; the truth of joins and replays leaves out on which channel they were."""
    channel = line.get("freq_hz", 868_100_000), line.get("datr", "SF9BW125")
    for heard in line["gateways"]:
        reception = Reception(heard["gateway_id"], heard["rssi"], heard["snr"])
        for _ in heard.get("antennas") or [0]:
            yield Frame(bytes.fromhex(line["phy_hex"]), *channel, reception, CRC[heard.get("crc_stat", 1)])


def test_every_frame_is_one_record_or_the_right_refusal(devices: list[Device], truth: list[Truth]) -> None:
    with Clock() as clock:
        worker = Worker(devices)
        feed, names = worker.feeds[0], {device.dev_eui: device.key for device in devices}
        for line in truth:
            before, dead = Counter(feed.raw.outcomes), len(worker.dead.reasons)
            said = len(worker.uplinks.confirmed), len(worker.events.confirmed)
            copies = list(frames(line))
            for frame in copies:
                feed.hear(frame)
            clock.advance(WINDOW * 2)
            happened = Counter(feed.raw.outcomes) - before
            made = worker.uplinks.confirmed[said[0] :] + worker.events.confirmed[said[1] :]
            _hold(line, happened, made, worker.dead.reasons[dead:], names)
    assert feed.ledger.conserved()
    assert feed.ledger.in_flight() == 0


def _hold(
    line: Truth, happened: Counter[FrameOutcome], made: list[Any], dead: list[Reason], names: dict[Any, str]
) -> None:
    note = line.get("note")
    outcome = _expected(line)
    each = outcome in {FrameOutcome.LATE_COPY, FrameOutcome.CRC_INVALID}  # of receptions, not of transmissions
    assert happened[outcome] == (len(list(frames(line))) if each else 1), (note, happened)
    if outcome is FrameOutcome.UPLINK:
        [uplink] = made
        assert isinstance(uplink, Uplink)
        assert (uplink.f_cnt, uplink.dev_addr, uplink.port) == (line["fcnt"], line["dev_addr"], line["fport"]), note
        assert uplink.payload.hex() == line["payload_hex"], note
        assert uplink.device == line["dev_eui"], note
        assert len(uplink.receptions()) == len(list(frames(line))), note
    elif outcome is FrameOutcome.MAC:
        [event] = made
        assert isinstance(event, Event)
        assert (event.kind, event.device, event.details["fCnt"]) == ("mac", line["dev_eui"], line["fcnt"]), note
        assert event.details["macCommands"] == (line["payload_hex"] if line["fport"] == 0 else line["fopts_hex"]), note
    elif outcome is FrameOutcome.JOIN:
        [event] = made
        assert isinstance(event, Event)
        details = {"devEui": line["dev_eui"], "joinEui": line["join_eui"], "devNonce": line["dev_nonce"]}
        assert {**event.details, **details} == event.details, note
        assert event.device in names
    else:
        assert made == [], note
    assert dead == ([REASONS[outcome]] if outcome in REASONS else []), note


REASONS = {
    FrameOutcome.WENT_BACK: Reason.F_CNT_INVALID,
    FrameOutcome.MIC_INVALID: Reason.MIC_INVALID,
    FrameOutcome.FRAME_INVALID: Reason.FRAME_INVALID,
}


REFUSED = {
    "proprietary": FrameOutcome.FRAME_INVALID,
    "garbage": FrameOutcome.FRAME_INVALID,
    "DevAddr not registered": FrameOutcome.FOREIGN,
    "FCnt went back (valid MIC for that FCnt)": FrameOutcome.WENT_BACK,
}


def _expected(line: Truth) -> FrameOutcome:
    note, kind = line.get("note") or "", line["kind"]
    refused = REFUSED.get(kind) or REFUSED.get(note)
    if refused is not None:
        return refused
    if kind == "data_up_replay":
        return FrameOutcome.RETRANSMISSION  # on another channel than the truth tells, so that the counter finds it out
    if kind == "join_request":
        return FrameOutcome.LATE_COPY if note == "replayed DevNonce" else FrameOutcome.JOIN
    if all(heard.get("crc_stat") in {-1, 0} for heard in line["gateways"]):
        return FrameOutcome.CRC_INVALID
    if not line["mic_valid"]:
        return FrameOutcome.MIC_INVALID
    return FrameOutcome.UPLINK if line["fport"] else FrameOutcome.MAC

"""What `check --connect` says of the messages of a network: devices that nobody knows, refusals, raw frames."""

import asyncio
from base64 import b64encode
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from pipeline import config
from pipeline.config.findings import Finding
from pipeline.core.delivery import Batch, Lane, Ledger, Message
from pipeline.tools.check.connect import Arrivals
from tests.connectors.network_servers import messages
from tests.pipeline.lorawan.test_identify import CHIRPSTACK, CONNECTOR, DEVICE
from tests.pipeline.network_flow import written
from tests.support.lorawan import data_up, session

TOPIC, UP = CHIRPSTACK
NAMED = {"deviceName": "th-17", "deviceProfileName": "\x1b[2J"}


def arrived(folder: Path, *told: tuple[str, Any], devices: Any = (DEVICE,), **feed: Any) -> list[Finding]:
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "five.py").write_text(CONNECTOR)
    text = written(folder, devices, top={"connector_paths": ["own"], **feed.pop("top", {})}, **feed)
    lane: Lane[None] = Lane(None, 100_000, ledger=Ledger())

    async def listen() -> list[Finding]:
        arrivals = Arrivals(config.parse(text, str(folder / "city.yaml"), {}).config, "city")
        made = [Message(topic, orjson.dumps(each), messages.ARRIVAL) for topic, each in told]
        arrivals.put(Batch(lane.receive(len(made), None), made))
        await arrivals.drain(monotonic())
        return list(arrivals.findings(3.0))

    found = asyncio.run(listen())
    assert lane.in_flight() == 0
    return found


def of(eui: str) -> tuple[str, Any]:
    return TOPIC, {**UP, "deviceInfo": {"devEui": eui, **NAMED}}


def test_what_is_as_it_should_be_is_not_mentioned(tmp_path: Path) -> None:
    assert arrived(tmp_path, CHIRPSTACK, CHIRPSTACK) == []


def test_devices_that_nobody_knows_are_named_once(tmp_path: Path) -> None:
    [found] = arrived(tmp_path, of("0" * 16), of("1" * 16), of("0" * 16), CHIRPSTACK)
    assert (found.path, found.severity) == ("feeds.city.dialect", "warning")
    assert found.message == (
        "2 devices have no row in the registry, or no connector: `0000000000000000` (th-17, \\x1b[2J), "
        "`1111111111111111` (th-17, \\x1b[2J); dead letters."
    )
    row = '- {key: th-17, dev_eui: "0000000000000000", connector: vendor/device}'
    assert f"Add each to devices.yaml, with its location and connector, such as `{row}`" in found.fix
    assert "headrace devices import" in found.fix


def test_many_are_counted(tmp_path: Path) -> None:
    [found] = arrived(tmp_path, *(of(f"{number:016x}") for number in range(30)))
    assert found.message.startswith("30 devices have")
    assert found.message.count("`") == 40
    assert "and 10 others" in found.message


def test_dead_letters_by_reason(tmp_path: Path) -> None:
    found = arrived(tmp_path, ("a/b", {}), (TOPIC, {**UP, "data": "AjA="}))
    assert [(each.path, each.message.partition(",")[0]) for each in found] == [
        ("feeds.city.dialect", "1 message would become dead letters (dialect_unknown)"),
        ("feeds.city.dialect", "1 message for nobody/five would become dead letters (payload_error)"),
    ]


def test_a_connector_with_an_entry_is_named_by_it(tmp_path: Path) -> None:
    entry = {"five": {"use": "nobody/five", "device": {"field": "x"}}}
    devices = [{**DEVICE, "connector": "five"}]
    [found] = arrived(tmp_path, (TOPIC, {**UP, "data": "AjA="}), devices=devices, top={"connectors": entry})
    assert found.path == "connectors.five"


def test_raw_frames_of_others_alone(tmp_path: Path) -> None:
    ours, theirs = session("01ab23cd"), session("01ab23ce")
    keys = {"nwk_s_key": bytes(ours.nwk_s_key).hex(), "app_s_key": bytes(ours.app_s_key).hex()}
    how: dict[str, Any] = {
        "devices": [{**DEVICE, "sessions": [{"dev_addr": ours.dev_addr, **keys}]}],
        "dialect": "chirpstack_gateway",
    }
    foreign, own = (_bridged(data_up(each, 3, messages.PAYLOAD, 2)) for each in (theirs, ours))
    [found] = arrived(tmp_path, foreign, **how)
    assert found.path == "feeds.city"
    assert found.message.startswith("raw frames came (foreign 1), none of a device")
    assert arrived(tmp_path, foreign, own, **how) == []


def _bridged(phy_payload: bytes) -> tuple[str, Any]:
    lora = {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}
    told = {
        "phyPayload": b64encode(phy_payload).decode(),
        "txInfo": {"frequency": 868100000, "modulation": {"lora": lora}},
        "rxInfo": {"gatewayId": messages.GATEWAY, "rssi": -83, "snr": 9.5, "crcStatus": "CRC_OK"},
    }
    return f"eu868/gateway/{messages.GATEWAY}/event/up", told

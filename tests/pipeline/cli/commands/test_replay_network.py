"""Dead letters of raw frames, taken through the mended configuration one by one, though copies are waited for."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.build import options as wiring
from pipeline.core.delivery import Message
from pipeline.core.errors import Reason
from pipeline.core.record import Record, decode_headers
from pipeline.encode.dead_letter import DeadLetters
from pipeline.publish.consumer import StoredRecord
from pipeline.tools.dry_run import DryRunPublisher
from pipeline.tools.replay import ReplayReport
from pipeline.tools.replay.session import Attempts, letter_of
from tests.pipeline.flow import ARRIVAL
from tests.pipeline.network_flow import PLACE, written
from tests.support.lorawan import data_up, session

KEYS = session("01ab23cd")
DEVICE = {
    "key": "th-17",
    "dev_eui": "0011223344556677",
    "connector": "acme/th-1",
    "location": PLACE,
    "sessions": [{"dev_addr": "01ab23cd", "nwk_s_key": KEYS.nwk_s_key.hex(), "app_s_key": KEYS.app_s_key.hex()}],
}
GATEWAY = "0016c001f153a14c"
TOPIC = f"eu868/gateway/{GATEWAY}/event/up"


def stored(f_cnt: int, reason: Reason) -> StoredRecord:
    frame = data_up(KEYS, f_cnt, port=1, payload=bytes.fromhex("010a2a5f"))
    lora = {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}
    told = {
        "phyPayload": b64encode(frame).decode(),
        "txInfo": {"frequency": 868100000, "modulation": {"lora": lora}},
        "rxInfo": {"gatewayId": GATEWAY, "uplinkId": f_cnt, "rssi": -80, "snr": 7, "crcStatus": "CRC_OK"},
    }
    message = Message(TOPIC, json.dumps(told).encode(), ARRIVAL)
    letters = DeadLetters("bench", "bench.dead-letter.v1")
    made = letters.record(message, feed="city", connector="", stage="sessions", reason=reason, detail="No.")
    headers = tuple(decode_headers(made.headers))
    return StoredRecord(made.destination.topic, 0, f_cnt, made.destination.key, made.value, headers, made.timestamp)


def replayed(folder: Path, *letters: StoredRecord, **feed: Any) -> tuple[ReplayReport, list[Record]]:
    text = written(folder, [DEVICE], dialect="chirpstack_gateway", **feed)
    read = config.parse(text, str(folder / "city.yaml"), {}).config
    report, records = ReplayReport("bench.dead-letter.v1", dry_run=False), list[Record]()

    async def run() -> None:
        paper = DryRunPublisher(wiring.dead_letters(read), records.append)
        attempts = Attempts(read, paper, wiring.dead_letters(read), report, lambda *_: None)
        for record in letters:
            attempts.put(letter_of(record))
            await attempts.passed_on("city")
        assert attempts.pending == 0

    asyncio.run(run())
    return report, records


def test_frames_whose_keys_were_wrong_come_out(tmp_path: Path) -> None:
    report, records = replayed(tmp_path, *(stored(n, Reason.MIC_INVALID) for n in (1, 2, 3)))
    assert report.published == 3
    assert {each.destination.topic for each in records} == {"bench.WeatherObserved.v1"}


@pytest.mark.parametrize(("frames", "published"), [({}, 0), ({"reset": "accept"}, 1)])
def test_a_counter_that_went_back_goes_on_being_refused(frames: Any, published: int, tmp_path: Path) -> None:
    report, records = replayed(tmp_path, stored(5, Reason.F_CNT_INVALID), frames=frames)
    assert (report.published, len(records)) == (published, published)
    assert report.again.get("f_cnt_invalid", 0) == 1 - published

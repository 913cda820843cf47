"""Streams in other forms than the normalised one, through the real brokers, and what reads them back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tests.integration.worker_bench import WorkerBench, headers_of, reading, until
from tests.support.concise import normalised
from tests.support.headrace import ROOT, Headrace
from tests.support.prometheus import get
from tests.support.records import assert_record

pytestmark = pytest.mark.real


def headrace(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pipeline", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def on_the_page(worker: Headrace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(get(f"{worker.admin}/snapshot.json") or "{}")["entities"]
    return found


def test_a_stream_that_becomes_flat_and_then_concise(bench: WorkerBench, tmp_path: Path) -> None:
    config = bench.config()
    config["streams"]["AirQualityObserved"]["format"] = "flat"
    worker = bench.worker(config)
    bench.publish(reading(1, lat=0, lon=0), reading(0))
    bench.settled(worker, 2)
    [flat], [letter] = bench.records(), bench.letters()
    assert headers_of(flat)["content-type"] == "application/json"
    assert "ce_dataschema" not in headers_of(flat)
    told = orjson.loads(flat.value or b"")
    assert (told["lon"], told["lat"], told["no2"], told["no2_unit"]) == (4.89, 52.37, 31.5, "GQ")
    assert not [name for name, value in told.items() if isinstance(value, dict)]
    assert json.loads(letter.value or b"")["lon"] == 0, "a dead letter is what came, in any form"
    until(lambda: bool(on_the_page(worker)), "the page's next look")
    [shown] = on_the_page(worker)
    assert (shown["place"], shown["values"]["pm10"]) == ([4.89, 52.37], "12.1 µg/m3")
    worker.stop()

    config["streams"]["AirQualityObserved"]["format"] = "concise"
    config["connectors"]["city-aq"]["location"] = [4.9, 52.4]  # which mends the dead letter
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert "1 came out as records" in headrace(ROOT, "replay", str(file), "--dead-letters")
    _, concise = bench.records()
    assert headers_of(concise)["content-type"] == "application/ld+json;format=concise"
    assert (headers_of(concise)["ce_subject"], concise.key) == (headers_of(flat)["ce_subject"], flat.key)
    value = orjson.dumps(normalised(orjson.loads(concise.value or b"")))
    headers = [("content-type", b"application/ld+json"), *concise.headers[1:]]
    assert_record(value, headers, concise.key or b"")

    said = headrace(ROOT, "tail", "AirQualityObserved", str(file), "--from-beginning", "--count", "2")
    assert said.count("no2: 31.5 GQ") == 2
    assert "location: [4.89, 52.37]" in said
    assert "location: [4.9, 52.4]" in said

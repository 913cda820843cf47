"""Whatever stands in a registry's file: devices or findings, never a traceback, and never a key."""

import random
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import config
from pipeline.config.device_fields import Uses
from pipeline.config.devices import read
from pipeline.config.findings import listed
from pipeline.core.errors import ConfigError
from pipeline.devices.registry import DeviceRegistry
from pipeline.models import MODELS
from pipeline.plugins.registry import ConnectorCatalogue
from tests.pipeline.config.test_devices import CANARY, CSV, EXAMPLE, GOLDEN, YAML

SEEDS = [CSV, YAML, *((GOLDEN / name).read_text() for name in ("wrong.yaml", "wrong.csv", "sessions.yaml"))]
PIECES = [
    "\n", "- ", ": ", ",", ";", '"', "'", "[", "]", "{", "}", "&a ", "*a", "!!int ", "? ", "<<: ", "~", "nan", ".inf",
    "1e999", "0x1f", "12:30", "2026-01-01", "\t", "\x00", "\x85", "\ufeff", "é", "😀", "key", "sessions", CANARY * 4,
    "9" * 400, "---\n", "...\n", "|", ">", "#", "%YAML 9.9\n", "[" * 60,
]  # fmt: skip
USES = Uses(config.load(EXAMPLE, {}), ConnectorCatalogue(), MODELS, frozenset({"th", "acme/th-1"}))


def attempt(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        file = read(str(path), USES)
    except ConfigError as problem:
        assert CANARY not in str(problem)
        return
    said = listed("city.yaml", file.findings) + repr(list(file.devices))
    assert not file.errors or isinstance(file.devices, DeviceRegistry)
    assert all(each.line for each in file.findings)
    if CANARY not in repr([(each.key, each.aliases, each.name, each.tags, each.attributes) for each in file.devices]):
        assert CANARY * 4 not in said


@settings(max_examples=14_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(1, 6), st.sampled_from([".yaml", ".csv"]))
def test_a_damaged_file(tmp_path: Path, seed: str, chance: random.Random, times: int, form: str) -> None:
    text = seed
    for _ in range(times):
        at, end = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        end = min(end, at + chance.randrange(12))
        text = text[:at] + chance.choice(["", *PIECES]) + text[end:]
    attempt(tmp_path / f"devices{form}", text)


@settings(max_examples=6_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200), st.sampled_from([".yaml", ".csv"]))
def test_any_text(tmp_path: Path, text: str, form: str) -> None:
    attempt(tmp_path / f"devices{form}", text)

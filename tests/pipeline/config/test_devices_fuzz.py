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


def attempt(folder: Path, text: str, form: str) -> None:
    path = folder / f"devices{form}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        check(path)
    except Exception as error:
        raise AssertionError(f"{path.name}: {text!r}") from error


def check(path: Path) -> None:
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


def damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 6)):
        at, end = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        end = min(end, at + chance.randrange(12))
        text = text[:at] + chance.choice(["", *PIECES]) + text[end:]
    return text


# 20,000 files in all. A draw of hypothesis costs as much as the reading of a file, so each seed makes many.
FILES = 100


@settings(max_examples=140, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**64 - 1))
def test_a_damaged_file(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(FILES):
        attempt(tmp_path, damaged(chance.choice(SEEDS), chance), chance.choice([".yaml", ".csv"]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**64 - 1))
def test_any_text(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(FILES):
        last = chance.choice([0x7F, 0xFF, 0x2FFF, 0x10FFFF])
        text = "".join(chr(chance.randrange(last + 1)) for _ in range(chance.randrange(201)))
        attempt(tmp_path, text, chance.choice([".yaml", ".csv"]))

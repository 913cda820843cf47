"""The bill of materials names what an installation consists of, and is valid CycloneDX."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"


@pytest.fixture(scope="module")
def sbom() -> str:
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(["make", "sbom"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return (DIST / f"headrace-{version}.cdx.json").read_text(encoding="utf-8")


@pytest.mark.real
def test_the_sbom_is_valid_and_complete(sbom: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(sbom) is None
    assert validator.validate_str(sbom.replace('"components"', '"parts"', 1)) is not None
    found = json.loads(sbom)
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = dict(line.split()[0].split("==") for line in lines if line[:1].isalpha())
    named = {each["name"].lower().replace("_", "-"): each["version"] for each in found["components"]}
    assert named == locked
    assert found["metadata"]["component"]["name"] == "headrace"
    assert f"headrace-{found['metadata']['component']['version']}.cdx.json" in {each.name for each in DIST.iterdir()}
    assert found["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00", "two builds differ"
    assert "serialNumber" not in found, "two builds differ"
    assert all(each.get("licenses") for each in found["components"] if each["name"] != "protobuf")  # it declares none

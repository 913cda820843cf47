"""The bill of materials names what an installation consists of, and is valid CycloneDX."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sbom() -> str:
    done = subprocess.run(["make", "sbom"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (ROOT / "dist" / "headrace.cdx.json").read_text(encoding="utf-8")


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
    assert all(each.get("licenses") for each in found["components"] if each["name"] != "protobuf")  # it declares none

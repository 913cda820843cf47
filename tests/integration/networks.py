"""A worker on the feeds of LoRaWAN networks, whose devices' bytes are published as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.kafka import Kafka

CONNECTOR = '''"""Publishes a device's bytes as they are."""
from headrace import Attribute, Connector, Time

def decode(uplink):
    return {"said": f"{uplink.port}:{uplink.payload.hex()}"}

connector = Connector(
    vendor="nobody", devices=("bytes",), owner="@tests", model="DeviceMeasurement", decode=decode,
    attributes={"textValue": Attribute("said")}, time=Time("at", "ms"),
)
'''


def written(folder: Path, devices: Sequence[Mapping[str, Any]]) -> None:
    """Write the connector and the registry of a `network_config`."""
    (folder / "own").mkdir()
    (folder / "own" / "bytes.py").write_text(CONNECTOR)
    (folder / "devices.yaml").write_text(yaml.safe_dump([{**each, "connector": "bytes"} for each in devices]))
    (folder / "devices.yaml").chmod(0o600)


def network_config(folder: Path, tenant: str, kafka: Kafka, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Build a configuration; readings may be as old as the traffic that is replayed."""
    return {
        "tenant": tenant,
        "kafka": {"bootstrap_servers": [kafka.bootstrap()], "create_topics": {"partitions": 3}},
        "connector_paths": [str(folder / "own")],
        "connectors": {"bytes": {"use": "nobody/bytes", "device": {"topic": "device"}, "max_age": "36500d"}},
        "devices": str(folder / "devices.yaml"),
        "feeds": dict(feeds),
        "state_dir": str(folder / "-".join(feeds)[:40]),
    }

"""The registry of the city's devices: a file that only its owner reads, since it holds session keys."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.demo.device import Device
from pipeline.demo.node import Node

_OWNER_ONLY: Final = 0o600
_HEAD: Final = "# Every device of the demo's city; those that gateways hear have the keys of their sessions.\n"


def write(file: Path, devices: Iterable[tuple[Device, Node | None]]) -> None:
    """Write the registry, a device a line: JSON, which is YAML."""
    rows = [_row(device, node) for device, node in devices if node is None or node.registered]
    rows.sort(key=itemgetter("key"))
    text = _HEAD + "".join(f"- {orjson.dumps(row).decode()}\n" for row in rows)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w", encoding="utf-8") as written:
        written.write(text)


def _row(device: Device, node: Node | None) -> Mapping[str, Any]:
    row: dict[str, Any] = {"key": device.name}
    if node is None:
        return row
    row |= {"dev_eui": node.dev_eui, "connector": device.kind.connector}
    row |= {"location": [device.longitude, device.latitude]}
    if device.kind.network == "gateways":
        session = node.known_session
        keys = {"nwk_s_key": session.nwk_s_key.hex(), "app_s_key": session.app_s_key.hex()}
        row["sessions"] = [{"dev_addr": session.dev_addr, **keys}]
    return row

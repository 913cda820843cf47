"""`headrace devices`: the device registry, who is not in it, and who does not speak."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

from pipeline import commands, config
from pipeline.config import Loaded
from pipeline.config.values import spell_seconds
from pipeline.devices import Device
from pipeline.errors import StartError

_HELP = f"""examples:
  headrace devices list city.yaml
  headrace devices unknown city.yaml
  headrace devices silent city.yaml

`unknown` and `silent` read what the worker has noted in its state folder, at most 1,000 and 5,000 devices and some
seconds old, so they run where the worker runs, as its user. Session keys are never shown.

{commands.EXIT_CODES}"""
_ACTIONS = {
    "list": ("every device of the registry, without its keys", "List the device registry, without session keys."),
    "unknown": (
        "devices that were refused as unknown",
        "List devices that were refused as unknown, those of late last: how often, when, what the server calls them.",
    ),
    "silent": (
        "devices and gateways that are overdue",
        "List devices and gateways of which nothing was published for longer than `silent_devices` allows.",
    ),
}
_FORM = "deploy/reference/devices.md"


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "devices",
        help="list the device registry, unknown devices, and silent ones",
        epilog=_HELP,
        description="List the device registry, the devices that nobody knows, or those that should have spoken.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|unknown|silent")
    for name, (short, description) in _ACTIONS.items():
        epilog = f"examples:\n  headrace devices {name} city.yaml\n  headrace devices {name} city.yaml --format json"
        each = commands.parser(actions.add_parser, name, help=short, epilog=epilog, description=description)
        each.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
        commands.add_format(each)


def run(parsed: argparse.Namespace) -> int:
    """List, and return the exit code."""
    plain, lines = _DONE[parsed.action](config.read(parsed.config))
    text = json.dumps(plain, indent=2) if parsed.format == "json" else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    return commands.OK


def _list(loaded: Loaded) -> tuple[object, list[str]]:
    if loaded.config.devices is None:
        return [], [f"{loaded.file} names no device registry (`devices: devices.yaml`)."]
    rows = [["key", "DevEUI", "connector", "location", "sessions", "name"]]
    for each in loaded.devices:
        place = "" if each.location is None else ", ".join(f"{part:g}" for part in each.location)
        rows.append(
            [each.key, each.dev_eui or "", each.connector or "", place, str(len(each.sessions)), each.name or ""]
        )
    return [_plain(each) for each in loaded.devices], _table(rows)


def _plain(device: Device) -> dict[str, Any]:
    return {
        "key": device.key,
        "dev_eui": device.dev_eui,
        "aliases": device.aliases,
        "name": device.name,
        "connector": device.connector,
        "model": device.model,
        "location": device.location,
        "attributes": device.attributes,
        "sessions": [{"dev_addr": each.dev_addr, "version": each.version} for each in device.sessions],
        "tags": device.tags,
        "prefer": device.prefer,
        "interval": device.interval,
        "lifecycle": device.lifecycle,
        "line": device.line,
    }


def _state_folder(loaded: Loaded) -> Path:
    """Return where the worker keeps its notes; "none is silent" must not be said of a folder that is not its own.

    Raises:
        StartError: no worker has noted anything there, or this user may not read it.
    """
    wiring: Any = importlib.import_module("pipeline.wiring")
    noted: Any = importlib.import_module("pipeline.silent_devices")
    folder: Path = wiring.state_folder(loaded.config)
    problem = noted.unreadable(folder)
    if problem:
        raise StartError(
            f"No worker's notes can be read in {folder} ({problem}). Run this where the worker runs and as its user: "
            "on a gateway by `headrace-as-service`, in a container by `exec` (deploy/runbook/README.md)."
        )
    return folder


def _unknown(loaded: Loaded) -> tuple[object, list[str]]:
    noted: Any = importlib.import_module("pipeline.unknown_devices")
    folder = _state_folder(loaded)
    # A device may have been added to the registry, and the worker not been told yet.
    found = [each for each in noted.read(folder) if loaded.devices.by_name(each.device) is None]
    if not found:
        return [], [f"No unknown device is noted in {folder}."]
    rows = [["device", "uplinks", "last seen", "the server calls it"]]
    rows += [[each.device, str(each.count), _time(each.last), _told(each.called)] for each in found]
    into = loaded.config.devices or f"a file that `devices:` of {loaded.file} names"
    hint = f'Add those that are yours to {into}: `- {{key: <asset>, dev_eui: "{found[-1].device}", ...}}`; see {_FORM}.'
    return [asdict(each) for each in found], [*_table(rows), "", hint]


def _silent(loaded: Loaded) -> tuple[object, list[str]]:
    noted: Any = importlib.import_module("pipeline.silent_devices")
    folder = _state_folder(loaded)
    found = noted.read(folder)
    if not found:
        return [], [f"No silent device is noted in {folder}."]
    now = round(time() * 1000)
    rows = [["silent", "last seen", "for", "expected every", "connector", "name"]]
    plain = []
    for each in found:
        device = None if each.kind == "gateway" else loaded.devices.by_name(each.name)
        called, connector = (None, None) if device is None else (device.name, device.connector)
        every = spell_seconds(round(each.interval)) + ("" if each.known == "configured" else f" ({each.known})")
        last = _time(each.last) if each.last else "never"
        waited = spell_seconds(_coarse((now - each.since) / 1000))
        what = connector or ("(gateway)" if each.kind == "gateway" else "")
        rows.append([_printable(each.name), last, waited, every, what, called or ""])
        plain.append({**asdict(each), "connector": connector, "called": called})
    return plain, _table(rows)


def _coarse(seconds: float) -> float:
    unit = next((each for each in (86_400, 3600, 60) if seconds >= 2 * each), 1)
    return max(1, seconds // unit) * unit


_DONE: dict[str, Callable[[Loaded], tuple[object, list[str]]]] = {"list": _list, "unknown": _unknown, "silent": _silent}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _told(called: dict[str, Any]) -> str:
    parts = [f"{what} {_printable(text)}" for what, text in called.items() if what != "tags"]
    parts += [f"{_printable(key)}={_printable(value)}" for key, value in called.get("tags", {}).items()]
    return ", ".join(parts)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

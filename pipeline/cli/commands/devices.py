"""`headrace devices`: the device registry, what is not in it, what falls silent, and further devices into it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

from pipeline import config
from pipeline.cli import commands
from pipeline.config import Loaded, device_text
from pipeline.config.values import spell_seconds
from pipeline.core.errors import ConfigError, StartError
from pipeline.core.logs import printable
from pipeline.devices.registry import Device

_HELP = f"""examples:
  headrace devices list city.yaml
  headrace devices unknown city.yaml
  headrace devices silent city.yaml
  headrace devices add lorawan.yaml --key th-18 --dev-eui 0011223344556678 --dry-run
  headrace devices import lorawan.yaml devices.json --location 3.7174,51.0543

`unknown` and `silent` read what the worker has noted in its state folder, at most 1,000 and 5,000 devices and some
seconds old, so they run where the worker runs, as its user. Session keys are never shown.

{commands.EXIT_CODES}"""
_ACTIONS = {
    "list": ("every device of the registry, without its keys", "List the device registry, without session keys."),
    "unknown": (
        "devices that were refused as unknown",
        "List devices that were refused as unknown, the latest last: how often, when, what the server calls them.",
    ),
    "silent": (
        "devices and gateways that are overdue",
        "List devices and gateways of which nothing was published for longer than `silent_devices` allows.",
    ),
}
_FORM = "deploy/reference/devices.md"


_ADD = """examples:
  headrace devices add lorawan.yaml --key th-18 --dev-eui 0011223344556678 --connector elsys/ers --location 3.7,51.05
  headrace devices add lorawan.yaml --key th-19 --dev-eui 0011223344556679 --name "Hall, third floor" --dry-run

The row, or entry, goes to the end of the file that `devices:` of the configuration names; what stands there stays as it
is. A running worker takes it in on SIGHUP.
"""
_IMPORT = """examples:
  headrace devices import lorawan.yaml devices.json --location 3.7174,51.0543
  headrace devices import lorawan.yaml devices.json --from the-things-stack --connector elsys/ers --dry-run

FILE is what ChirpStack's API answers (/api/devices; with /api/devices/EUI/activation behind it, sessions too), what
`ttn-lw-cli end-devices list` or a bulk import of The Things Stack holds (JSON, or CSV), a CSV file with a column
`dev_eui`, or what `headrace devices unknown --format json` says. Without FILE, `--from unknown` takes what the worker
has noted here. A device that is in the registry already stays as it is, so that an import can be repeated.

Session keys go to files of mode 0600 in the folder `keys` beside the registry, and nowhere else.
Root keys are not read.
Exit code 1: some devices could not be added, each with its reason.
"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "devices",
        help="list the device registry, unknown devices and silent ones; add and import devices",
        epilog=_HELP,
        description="List the device registry, unknown devices, or silent ones; add devices to the registry.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|unknown|silent|add|import")
    for name, (short, description) in _ACTIONS.items():
        epilog = f"examples:\n  headrace devices {name} city.yaml\n  headrace devices {name} city.yaml --format json"
        each = commands.parser(actions.add_parser, name, help=short, epilog=epilog, description=description)
        each.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
        commands.add_format(each)
    _declare_add(actions)
    _declare_import(actions)


def _declare_add(actions: commands.Subparsers) -> None:
    said = "Add one device to the registry's file, after the whole configuration was checked with it."
    short = "one device into the registry"
    parser = commands.parser(actions.add_parser, "add", help=short, epilog=_ADD, description=said)
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--key", required=True, help="the asset: the device's part of entity ids, which stays")
    parser.add_argument("--dev-eui", metavar="EUI", help="16 hex digits, of a LoRaWAN device")
    parser.add_argument("--connector", metavar="NAME", help="`vendor/device`, or a name under `connectors`")
    parser.add_argument("--name", help="for people")
    parser.add_argument("--alias", action="append", default=[], metavar="NAME", help="another name that messages have")
    parser.add_argument("--interval", metavar="DURATION", help="the time between two readings, such as 10min")
    _add_common(parser)


def _declare_import(actions: commands.Subparsers) -> None:
    said = "Add the devices of another system's export to the registry's file, and say what became of each."
    parser = commands.parser(
        actions.add_parser, "import", help="devices of an export into the registry", epilog=_IMPORT, description=said
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("file", metavar="FILE", nargs="?", help="the export; `-` for standard input")
    sources = ("chirpstack", "the-things-stack", "unknown")
    parser.add_argument("--from", dest="source", choices=sources, help="whose export it is (default: as it looks)")
    parser.add_argument("--connector", metavar="NAME", help="of devices of which nothing else tells one")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--location", metavar="LON,LAT[,ALT]", help="where it stands, unless an export says so")
    parser.add_argument("--dry-run", action="store_true", help="print what would be added, and write nothing")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """List, add or import, and return the exit code."""
    if parsed.action in _CHANGES:
        return _CHANGES[parsed.action](parsed)
    plain, lines = _DONE[parsed.action](config.read(parsed.config))
    text = json.dumps(plain, indent=2) if parsed.format == "json" else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    return commands.OK


def _add(parsed: argparse.Namespace) -> int:
    from pipeline.tools import enrol

    eui = enrol.plain_eui(parsed.dev_eui)
    given = {
        "key": parsed.key,
        "dev_eui": eui or None,
        "aliases": tuple(parsed.alias) or None,
        "name": parsed.name,
        "connector": parsed.connector,
        "location": _place(parsed.location),
        "interval": parsed.interval,
    }
    report = enrol.enrol(parsed.config, [enrol.Newcomer(eui)], given=given, dry_run=parsed.dry_run)
    refused = [*report.there, *report.left]
    if refused:
        name, why = refused[0]
        raise ConfigError(f"{name} {why}" if report.there else f"{name} cannot be added to {report.file}: {why}")
    return _reported(parsed, report)


def _import(parsed: argparse.Namespace) -> int:
    from pipeline.tools import enrol

    if parsed.file is None:
        if parsed.source != enrol.UNKNOWN:
            raise ConfigError("Name the export, or `--from unknown` for what the worker has noted here.")
        from pipeline.devices import unknown as noted

        newcomers = enrol.noted(noted.read(_state_folder(config.read(parsed.config))))
    else:
        text = _export(parsed.file)
        try:
            _, newcomers = enrol.read(text, parsed.source)
        except ConfigError as problem:
            raise ConfigError(f"{parsed.file} cannot be taken. {problem}") from None
    otherwise = {"connector": parsed.connector, "location": _place(parsed.location)}
    return _reported(parsed, enrol.enrol(parsed.config, newcomers, otherwise=otherwise, dry_run=parsed.dry_run))


def _export(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as problem:
        raise ConfigError(f"{file} cannot be read: {problem.strerror}.") from None
    except ValueError:
        raise ConfigError(f"{file} is no UTF-8 text: save the export as UTF-8.") from None


def _place(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        place = tuple(float(part) for part in text.split(","))
    except ValueError:
        place = ()
    if len(place) not in {2, 3}:
        raise ConfigError(f"Expected --location as LON,LAT or LON,LAT,ALT in degrees and metres, got {text!r}.")
    return place


def _reported(parsed: argparse.Namespace, report: Any) -> int:  # noqa: ANN401 - a Report, whose module is imported late
    would = "would be added" if parsed.dry_run else "added"
    there = f", {len(report.there)} there already" if report.there else ""
    left = f", {len(report.left)} left out" if report.left else ""
    lines = [f"{report.file}: {len(report.added)} {would}{there}{left}."]
    lines += [f"  {row}" for row in report.rows]
    lines += [f"  key file {name} (mode 0600)" for name in report.key_files]
    lines += [f"  {name} {why}." for name, why in report.there]
    lines += [f"  left out: {name}: {why}" for name, why in report.left]
    lines += [f"  note: {note}" for note in report.notes]
    if report.added and not parsed.dry_run:
        lines.append("A running worker takes them in on SIGHUP; `headrace check` is content with the file.")
    text = json.dumps(asdict(report), indent=2) if parsed.format == "json" else "\n".join(map(printable, lines))
    sys.stdout.write(f"{text}\n")
    return commands.START_ERROR if report.left else commands.OK


_CHANGES: dict[str, Callable[[argparse.Namespace], int]] = {"add": _add, "import": _import}


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
    from pipeline.build import options as wiring
    from pipeline.devices import silence_watch as noted

    folder: Path = wiring.state_folder(loaded.config)
    problem = noted.unreadable(folder)
    if problem:
        raise StartError(
            f"No worker's notes can be read in {folder} ({problem}). Run this where the worker runs and as its user: "
            "on a gateway by `headrace-as-service`, in a container by `exec` (deploy/runbook/README.md)."
        )
    return folder


def _unknown(loaded: Loaded) -> tuple[object, list[str]]:
    from pipeline.devices import unknown as noted

    folder = _state_folder(loaded)
    # A device may have been added to the registry, and the worker not been told yet.
    found = [each for each in noted.read(folder) if loaded.devices.by_name(each.device) is None]
    if not found:
        return [], [f"No unknown device is noted in {folder}."]
    rows = [["device", "uplinks", "last seen", "the server calls it"]]
    rows += [[each.device, str(each.count), _time(each.last), _told(each.called)] for each in found]
    into = loaded.config.devices or f"a file that `devices:` of {loaded.file} names"
    advice = device_text.of(loaded.config.devices).advice(_row(loaded, found[-1]))
    hint = f"Add those that are yours to {into}, with their locations; the last of them is this row ({_FORM}):"
    many = f"Or all at once: headrace devices import {loaded.file} --from unknown"
    return [asdict(each) for each in found], [*_table(rows), "", hint, f"  {printable(advice)}", many]


def _row(loaded: Loaded, device: Any) -> dict[str, Any]:  # noqa: ANN401 - an UnknownDevice, whose module is imported late
    from pipeline.tools import enrol

    [newcomer] = enrol.noted([device])
    return dict(enrol.described(newcomer, loaded.config))


def _silent(loaded: Loaded) -> tuple[object, list[str]]:
    from pipeline.devices import silence_watch as noted

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
        rows.append([printable(each.name), last, waited, every, what, called or ""])
        plain.append({**asdict(each), "connector": connector, "called": called})
    return plain, _table(rows)


def _coarse(seconds: float) -> float:
    unit = next((each for each in (86_400, 3600, 60) if seconds >= 2 * each), 1)
    return max(1, seconds // unit) * unit


_DONE: dict[str, Callable[[Loaded], tuple[object, list[str]]]] = {"list": _list, "unknown": _unknown, "silent": _silent}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _told(called: Mapping[str, str | Mapping[str, str]]) -> str:
    parts: list[str] = []
    for what, told in called.items():
        if isinstance(told, str):
            parts.append(f"{what} {printable(told)}")
        else:
            parts += [f"{printable(key)}={printable(value)}" for key, value in told.items()]
    return ", ".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

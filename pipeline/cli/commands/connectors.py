"""`headrace connectors`: the device connectors that are found, and the proof of each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pipeline.cli import commands
from pipeline.config import connector_folders, extended
from pipeline.config.findings import did_you_mean
from pipeline.core.errors import ConfigError, StartError
from pipeline.core.logs import printable
from pipeline.core.record import DEVICE
from pipeline.plugins.registry import BrokenConnector, ConnectorCatalogue, FoundConnector, OwnFormat
from pipeline.sdk.connector import Connector, Observation

_LIST = """  headrace connectors list
  headrace connectors list --path my-connectors --format json
"""
_SHOW = """  headrace connectors show acme/th-1 --path my-connectors
"""
_CHECK = """  headrace connectors check --all
  headrace connectors check my-connectors/acme
  headrace connectors check acme/th-1 --path my-connectors --format json
"""
_HELP = f"""examples:
{_LIST}{_SHOW}{_CHECK}
levels:
  draft    it loads, and its examples become what they say
  checked  nothing else fails either, it has an example of a payload to refuse, and an owner
  field    one example of what a device sends says where it was published or captured (`source`)

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "connectors",
        help="list, show and prove device connectors",
        epilog=_HELP,
        description="The device connectors of the tree, of installed packages and of folders of your own.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    helps = {
        "list": ("List every connector by name, with its models and file; then what is broken.", _LIST),
        "show": ("Show one connector: models, attributes, units, examples.", _SHOW),
        "check": ("Prove connectors: their examples, thousands of damaged payloads; says the level of each.", _CHECK),
    }
    listing, showing, checking = (
        commands.parser(actions.add_parser, name, help=what, description=what, epilog=f"examples:\n{examples}")
        for name, (what, examples) in helps.items()
    )
    showing.add_argument("name", metavar="NAME", help="vendor/device")
    checking.add_argument("what", metavar="PATH|NAME", nargs="?", help="a file, a folder, or vendor/device")
    checking.add_argument("--all", action="store_true", help="every connector that is found")
    for each in (listing, showing, checking):
        each.add_argument("--path", action="append", default=[], help="a folder of connectors of your own")
        commands.add_format(each)


def run(parsed: argparse.Namespace) -> int:
    """List, show or prove, and return the exit code."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {"list": _list, "show": _show, "check": _check}
    return actions[parsed.action](parsed)


def _write(parsed: argparse.Namespace, plain: object, lines: Sequence[str]) -> None:
    said = (printable(line) for line in "\n".join(lines).split("\n"))  # a decoder may say anything
    text = json.dumps(plain, indent=2, default=str) if parsed.format == "json" else "\n".join(said)
    sys.stdout.write(f"{text}\n")


def _registry(parsed: argparse.Namespace) -> ConnectorCatalogue:
    for path in parsed.path:
        if not Path(path).is_dir():
            raise StartError(f"{path} is no folder: `--path` takes a folder of connectors.")
    return connector_folders.registry(parsed.path)


def _list(parsed: argparse.Namespace) -> int:
    registry = _registry(parsed)
    rows = sorted((name, each) for each in registry.found for name in each.names)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"{name:{width}}  {', '.join(_models(each.connector))}  {_here(each)}" for name, each in rows]
    broken = [f"  {_shown(each.where)}  {each.error}" for each in registry.broken]
    formats = [f"  {name}  {_shown(each.where)}" for name, each in sorted(registry.formats.items())]
    lines += ["", "formats of payloads, for `format:` of a route:", *formats] if formats else []
    plain = {
        "formats": [{"name": name, "file": e.file, "line": e.line} for name, e in sorted(registry.formats.items())],
        "connectors": [_plain(each) for each in registry.found],
        "broken": [{"where": each.where, "names": each.names, "error": each.error} for each in registry.broken],
    }
    _write(
        parsed, plain, [*lines, *([] if lines else ["No connector."]), *(["", "broken:", *broken] if broken else [])]
    )
    return commands.START_ERROR if broken else commands.OK


def _show(parsed: argparse.Namespace) -> int:
    found = _named(_registry(parsed), parsed.name)
    connector = found.connector
    lines = [
        f"{', '.join(found.names)}  version {connector.version}  owner {connector.owner}",
        f"    {_here(found)}",
        f"    time      {_time(connector)}",
        f"    location  {_place(connector)}",
    ]
    for each in [*connector.observed(), *_device(connector)]:
        lines.append(f"    {each.model}")
        for name, source in each.attributes.items():
            lines.append(f"        {source.field}{f' [{source.unit}]' if source.unit else ''} -> {name}")
    spare = extended.unmapped(connector)
    lines += [f"    not mapped: {', '.join(spare)} (`attributes` beside `use` maps them)"] if spare else []
    lines += [f"    example   {example.name}" for example in connector.examples]
    _write(parsed, {**_plain(found), "not_mapped": spare}, lines)
    return commands.OK


def _check(parsed: argparse.Namespace) -> int:
    from pipeline import conformance  # late: no other command needs it

    found, broken, formats = _chosen(parsed)
    with redirect_stdout(sys.stderr):  # a vendor's decoder may print
        proofs = [conformance.prove(each) for each in found]
        of_formats = [conformance.prove_format(each) for each in formats]
    lines = [f"{_shown(each.where)}  broken: {each.error}" for each in broken]
    for proof in proofs:
        lines += _told(proof)
    for of_format in of_formats:
        lines += _told_of_format(of_format)
    reports, told = [proof.plain() for proof in proofs], [each.plain() for each in of_formats]
    failed = len(broken) + sum(not report["ok"] for report in (*reports, *told))
    counted = f"formats: {len(told)}, " if told else ""
    lines.append(f"connectors: {len(proofs) + len(broken)}, {counted}with faults: {failed}")
    plain = {
        "ok": not failed,
        "connectors": reports,
        "formats": told,
        "broken": [{"where": each.where, "names": each.names, "error": each.error} for each in broken],
    }
    _write(parsed, plain, lines)
    return commands.START_ERROR if failed else commands.OK


def _chosen(parsed: argparse.Namespace) -> tuple[list[FoundConnector], list[BrokenConnector], list[OwnFormat]]:
    what = parsed.what
    if (what is None) != parsed.all:
        raise ConfigError("Say which: headrace connectors check PATH, or vendor/device, or --all.")
    registry = _registry(parsed)
    if what is None:
        return registry.found, registry.broken, list(registry.formats.values())
    path = Path(what)
    if not path.exists():
        return [_named(registry, what)], [], []
    whole = connector_folders.registry([*parsed.path, str(path)])  # with all others, so that a name that is taken shows
    found = [each for each in whole.found if _inside(each.file, path)]
    broken = [each for each in whole.broken if _inside(each.file, path)]
    formats = [each for each in whole.formats.values() if _inside(each.file, path)]
    if not found and not broken and not formats:
        said = "expected a module with `connector = Connector(...)`, or with `FORMAT = Format(...)`"
        raise StartError(f"{what} holds no connector: {said}.")
    return found, broken, formats


def _inside(file: str, path: Path) -> bool:
    resolved = Path(file).resolve()
    return path.resolve() in (resolved, *resolved.parents)


def _named(registry: ConnectorCatalogue, name: str) -> FoundConnector:
    found = registry.get(name)
    if found is not None:
        return found
    fault = registry.fault(name)
    if fault is not None:
        raise StartError(f"`{name}` is broken: {fault}")
    meant = did_you_mean(name, registry.names)
    hint = f"Did you mean `{meant}`?" if meant else "`headrace connectors list` shows what there is."
    raise StartError(f"`{name}` is no device connector that was found. {hint}")


def _told(proof: Any) -> list[str]:  # noqa: ANN401 - a Proof, whose module is imported late
    found: FoundConnector = proof.found
    count = len(found.connector.examples)
    lines = [f"{', '.join(found.names)}  {proof.level}  {_here(found)}"]
    lines.append(f"    examples: {count}, random and truncated payloads: {proof.tried}")
    lines += [f"    {_shown(str(fault))}" for fault in proof.faults]
    return lines + [f"    for {asked}" for asked in proof.missing]


def _told_of_format(proof: Any) -> list[str]:  # noqa: ANN401 - a FormatProof, whose module is imported late
    found: OwnFormat = proof.found
    lines = [f"format {found.format.name}  {_shown(found.where)}"]
    lines.append(f"    examples: {len(found.format.examples)}, random and truncated payloads: {proof.tried}")
    lines += [f"    {_shown(str(fault))}" for fault in proof.faults]
    return lines + [f"    to be sure of it, {asked}" for asked in proof.missing]


def _plain(found: FoundConnector) -> dict[str, Any]:
    connector = found.connector
    observations = [*connector.observed(), *_device(connector)]
    return {
        "names": found.names,
        "owner": connector.owner,
        "version": connector.version,
        "file": found.file,
        "line": found.line,
        "origin": found.origin,
        "time": _time(connector),
        "location": _place(connector),
        "models": {
            each.model: {name: {"field": a.field, "unit": a.unit} for name, a in each.attributes.items()}
            for each in observations
        },
        "examples": [example.name for example in connector.examples],
    }


def _models(connector: Connector) -> list[str]:
    return [each.model for each in [*connector.observed(), *_device(connector)]]


def _device(connector: Connector) -> list[Observation]:
    return [Observation(DEVICE, connector.device)] if connector.device else []


def _time(connector: Connector) -> str:
    return "of arrival" if connector.time is None else f"field {connector.time.field} ({connector.time.unit})"


def _place(connector: Connector) -> str:
    place = connector.place
    return "given by the configuration" if place is None else f"fields {place.longitude}, {place.latitude}"


def _here(found: FoundConnector) -> str:
    return _shown(found.where)


def _shown(where: str) -> str:
    """Leave the current folder out of a path."""
    return where.removeprefix(f"{Path.cwd()}/")

"""`headrace check`: every error of a configuration, or what it will do."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from pipeline import config
from pipeline.cli import commands
from pipeline.config.findings import Finding, listed
from pipeline.config.loading import schema
from pipeline.core import logs
from pipeline.core.errors import ConfigError
from pipeline.tools.check import report as check
from pipeline.tools.check import report as check_networks

_HELP = f"""examples:
  headrace check city.yaml
  headrace check city.yaml --connect
  headrace check city.yaml --format json
  headrace check --schema > headrace.schema.json

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "check",
        help="find every error of a configuration, and say what it will do",
        epilog=_HELP,
        description="List every error at once, or else the conversions that will be made and the topics written to.",
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="the configuration, a YAML file")
    parser.add_argument("--connect", action="store_true", help="also try broker, subscriptions, Kafka and topics")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the configuration")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Check the configuration and return the exit code."""
    if parsed.schema:
        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return commands.OK
    if parsed.config is None:
        raise ConfigError("headrace check needs the configuration's path: headrace check city.yaml")
    loaded = config.read(parsed.config)
    findings = [*loaded.warnings, *loaded.placed(check.files(loaded.config))]
    if parsed.connect:
        logs.leave_out("aiokafka")
        from pipeline.tools.check import connect

        findings += loaded.placed(connect.check(loaded.config))
    if parsed.format == "json":
        _write_json(loaded, findings)
    else:
        _write_text(loaded, findings)
    return commands.START_ERROR if any(finding.severity == "error" for finding in findings) else commands.OK


def _write_text(loaded: config.Loaded, findings: list[Finding]) -> None:
    sys.stdout.write(check.text(loaded) + "\n")
    for severity in ("warning", "error"):
        those = [finding for finding in findings if finding.severity == severity]
        if those:
            sys.stdout.write(f"\n{severity}s:\n{listed(loaded.file, those)}\n")
    if not any(finding.severity == "error" for finding in findings):
        sys.stdout.write(f"\n{loaded.file}: ok\n")


def _write_json(loaded: config.Loaded, findings: list[Finding]) -> None:
    registered = check.registered(loaded)
    report = {
        "file": loaded.file,
        "ok": not any(finding.severity == "error" for finding in findings),
        "findings": [finding.plain() for finding in findings],
        "networks": [asdict(listening) for listening in check_networks.listenings(loaded.config)],
        "connectors": [asdict(use) for use in check.uses(loaded.config)],
        "devices": None if registered is None else asdict(registered),
        "topics": check.topics(loaded.config),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")

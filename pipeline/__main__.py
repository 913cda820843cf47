"""The command line: `headrace run`, `headrace check`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline import check, config
from pipeline.config.findings import Finding, listed
from pipeline.config.schema import schema
from pipeline.errors import ConfigError, StartError

OK, START_ERROR, CONFIG_ERROR = 0, 1, 2
_EXIT_CODES = """exit codes:
  0  all is well
  1  something outside is not as the configuration says (broker, Kafka, topic, file)
  2  the configuration cannot be used; every error is listed
"""
_EPILOG = f"""examples:
  headrace check deploy/examples/bench.yaml
  headrace run deploy/examples/bench.yaml

{_EXIT_CODES}"""
_RUN = f"""examples:
  headrace run city.yaml
  KAFKA_PASSWORD=... headrace run city.yaml --loop asyncio

SIGTERM or SIGINT stops reading, waits up to `drain_timeout` until Kafka has confirmed what was read, and exits.

{_EXIT_CODES}"""
_CHECK = f"""examples:
  headrace check city.yaml
  headrace check city.yaml --connect
  headrace check city.yaml --format json
  headrace check --schema > headrace.schema.json

{_EXIT_CODES}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parsed = _parser().parse_args(arguments)
    if parsed.command is None:
        _parser().print_help()
        return CONFIG_ERROR
    try:
        return _run(parsed) if parsed.command == "run" else _check(parsed)
    except ConfigError as problem:
        _say(parsed, str(problem), list(getattr(problem, "findings", ())))
        return CONFIG_ERROR
    except StartError as problem:
        _say(parsed, str(problem), [])
        return START_ERROR


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _command(
        argparse.ArgumentParser,
        prog="headrace",
        epilog=_EPILOG,
        description="Brings a city's sensor feeds from MQTT to Kafka as NGSI-LD entities, and loses none of them.",
    )
    parser.add_argument("--version", action="version", version=f"headrace {_version()}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    run = _command(
        commands.add_parser,
        "run",
        help="run until SIGTERM or SIGINT",
        epilog=_RUN,
        description="Take messages from the feeds and publish them, until SIGTERM or SIGINT.",
    )
    run.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    run.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop (default: uvloop)")
    checking = _command(
        commands.add_parser,
        "check",
        help="find every error of a configuration, and say what it will do",
        epilog=_CHECK,
        description="List every error at once, or else the conversions that will be made and the topics written to.",
    )
    checking.add_argument("config", metavar="CONFIG", nargs="?", help="the configuration, a YAML file")
    checking.add_argument("--connect", action="store_true", help="also try broker, subscriptions, Kafka and topics")
    checking.add_argument("--schema", action="store_true", help="print the JSON Schema of the configuration")
    checking.add_argument("--format", choices=("text", "json"), default="text", help="for a person, or a program")
    return parser


def _command(make: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - argparse's own makers
    return make(*arguments, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)


def _version() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "(not installed)"


def _run(parsed: argparse.Namespace) -> int:
    loaded = config.read(parsed.config)
    if loaded.warnings:
        sys.stderr.write(listed(loaded.file, loaded.warnings) + "\n")
    app: Any = importlib.import_module("pipeline.app")  # late: `check` needs neither paho nor aiokafka
    return int(app.run(loaded.config, loop=parsed.loop))


def _check(parsed: argparse.Namespace) -> int:
    if parsed.schema:
        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return OK
    if parsed.config is None:
        raise ConfigError("headrace check needs the configuration's path: headrace check city.yaml")
    loaded = config.read(parsed.config)
    findings = [*loaded.warnings, *loaded.placed(check.files(loaded.config))]
    if parsed.connect:
        connect: Any = importlib.import_module("pipeline.connect")
        findings += loaded.placed(connect.check(loaded.config))
    errors = [finding for finding in findings if finding.severity == "error"]
    if parsed.format == "json":
        _write_json(loaded, findings)
    else:
        _write_text(loaded, findings)
    return START_ERROR if errors else OK


def _write_text(loaded: config.Loaded, findings: list[Finding]) -> None:
    sys.stdout.write(check.text(loaded) + "\n")
    for severity in ("warning", "error"):
        those = [finding for finding in findings if finding.severity == severity]
        if those:
            sys.stdout.write(f"\n{severity}s:\n{listed(loaded.file, those)}\n")
    if not any(finding.severity == "error" for finding in findings):
        sys.stdout.write(f"\n{loaded.file}: ok\n")


def _write_json(loaded: config.Loaded, findings: list[Finding]) -> None:
    report = {
        "file": loaded.file,
        "ok": not any(finding.severity == "error" for finding in findings),
        "findings": [_plain(finding) for finding in findings],
        "connectors": [asdict(use) for use in check.uses(loaded.config)],
        "topics": check.topics(loaded.config),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def _say(parsed: argparse.Namespace, sentence: str, findings: list[Finding]) -> None:
    if getattr(parsed, "format", "text") == "text":
        sys.stderr.write(f"{sentence}\n")
        return
    report = {"file": parsed.config, "ok": False, "error": sentence, "findings": [_plain(each) for each in findings]}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "path": finding.path,
        "line": finding.line,
        "message": finding.message,
        "fix": finding.fix,
    }


if __name__ == "__main__":
    sys.exit(main())

"""`headrace explain`: one message through every hop, without a broker."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from time import time

from pipeline import config
from pipeline.cli import commands
from pipeline.core import times
from pipeline.core.delivery import Message
from pipeline.core.errors import ConfigError

_FILE_NAME = re.compile(r"[^\s{}\[\]\"]+\.[A-Za-z][A-Za-z0-9]{0,4}")
_TOPIC = re.compile(r"[^+#]+", re.DOTALL)
_HELP = """examples:
  headrace explain city.yaml --topic city/aq/0001 --payload reading.json
  headrace explain city.yaml --topic city/aq/0001 --payload '{"device": "aq-0001", "ts": 1769000000000}'
  cat reading.json | headrace explain city.yaml --topic city/aq/0001 --payload - --format json
  headrace explain city.yaml --topic city/aq/0001 --payload '7b 7d' --hex
  headrace explain lorawan.yaml --topic application/1/device/0011223344556677/event/up --payload up.json

exit codes:
  0  the message becomes a record, or is filtered as the configuration says
  1  the message becomes a dead letter
  2  the configuration, or an argument, cannot be used
"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "explain",
        help="say what becomes of one message, hop by hop",
        epilog=_HELP,
        description="Take one message through the stages of a worker, without a broker: route, or dialect and uplink; "
        "device, fields, attributes, record; or the dead letter, and how to mend it.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument(
        "--topic",
        required=True,
        help="the MQTT topic that it comes on; of a packet forwarder, EUI/push_data, with its datagram's JSON, which "
        "begins at byte 12, as the payload",
    )
    parser.add_argument("--payload", required=True, metavar="FILE|-|TEXT", help="a file, standard input, or the text")
    parser.add_argument("--hex", action="store_true", help="the payload is written in hexadecimal digits")
    parser.add_argument("--feed", metavar="NAME", help="the feed that brings it (default: the first that subscribes)")
    parser.add_argument("--at", metavar="TIME", help="when it arrives: RFC 3339 with a zone (default: now)")
    parser.add_argument("--retained", action="store_true", help="it is a retained message")
    parser.add_argument("--partitions", type=int, metavar="N", help="of the topic, where the configuration makes none")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Explain one message and return the exit code."""
    if parsed.partitions is not None and parsed.partitions < 1:
        raise ConfigError(f"Expected --partitions of 1 or more, got {parsed.partitions}.")
    if not _TOPIC.fullmatch(parsed.topic):
        raise ConfigError(
            f"Expected --topic as one message has it, such as city/aq/0001, got {parsed.topic!r}: it is not empty, and "
            "holds no `+` or `#`, which belong to subscriptions."
        )
    loaded = config.read(parsed.config)
    topic = os.fsencode(parsed.topic).decode(errors="replace")
    message = Message(topic, _payload(parsed), _arrival(parsed.at), parsed.retained)
    from pipeline.tools import explain

    with redirect_stdout(sys.stderr):  # a vendor's decoder may print
        said = explain.explain(loaded.config, message, feed=parsed.feed, partitions=parsed.partitions)
    if parsed.format == "json":
        sys.stdout.write(json.dumps(asdict(said), indent=2, default=explain.as_json) + "\n")
    else:
        sys.stdout.write(explain.text(said) + "\n")
    return commands.START_ERROR if said.dead_letter is not None else commands.OK


def _payload(parsed: argparse.Namespace) -> bytes:
    content = _content(parsed.payload)
    if not parsed.hex:
        return content
    try:
        return bytes.fromhex(content.decode("ascii"))
    except ValueError:
        raise ConfigError("With --hex the payload must be pairs of hexadecimal digits, such as `ff ce37`.") from None


def _content(given: str) -> bytes:
    if given == "-":
        if sys.stdin is None:
            raise ConfigError("There is no standard input here. Write the payload itself, or a file.")
        return sys.stdin.buffer.read()
    try:
        if Path(given).is_file():
            return Path(given).read_bytes()
    except (OSError, ValueError) as problem:
        if not isinstance(problem, OSError) or not problem.strerror or "long" in problem.strerror:
            return os.fsencode(given)  # a text that is no file's name
        raise ConfigError(f"{given} cannot be read: {problem.strerror}.") from None
    if _FILE_NAME.fullmatch(given):
        raise ConfigError(f"There is no file {given}. Write the payload itself, `-` for standard input, or a file.")
    return os.fsencode(given)


def _arrival(text: str | None) -> int:
    if text is None:
        return round(time() * 1000)
    ms = times.parse(text, "iso")
    if ms is None:
        raise ConfigError(f"Expected --at as an RFC 3339 time with a zone, such as 2026-01-21T12:53:21Z; got {text!r}.")
    return ms

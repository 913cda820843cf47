"""`headrace tail`: records as they arrive."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path

from pipeline import config
from pipeline.cli import commands
from pipeline.config.root import Config
from pipeline.core import event_loop, logs
from pipeline.core.errors import ConfigError

_HELP = f"""examples:
  headrace tail AirQualityObserved city.yaml
  headrace tail ghent.AirQualityObserved.v1 city.yaml --key aq-0001 --count 1
  headrace tail city.yaml --dead-letters --from-beginning
  headrace tail city.yaml --dead-letters --reason no_route --since 2h --until-end
  headrace tail AirQualityObserved city.yaml --from-beginning --count 10 --format json

TOPIC is a topic of Kafka, the name of a model, or device-events. It stands in front of CONFIG;
with --dead-letters it is left out.
Nothing is committed: no consumer group is used, and none is disturbed. It ends with Ctrl-C, after --count records, or
with --until-end after what is there now (all of it, or what --since leaves of it).

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "tail",
        help="show records as they arrive in Kafka",
        epilog=_HELP,
        description="Show the records of a topic as they arrive: entities attribute by attribute, dead letters with "
        "reason and payload.",
    )
    parser.add_argument("topic", metavar="TOPIC", nargs="?", help="a topic, a model's name, or device-events")
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--key", metavar="K", help="only this key: an entity id, or the device's name at its end")
    parser.add_argument("--dead-letters", action="store_true", help="the dead-letter topic")
    parser.add_argument("--from-beginning", action="store_true", help="also what is there already")
    said = "also what is there since: a time with a zone, or 2h, 3d"
    parser.add_argument("--since", metavar="T", help=said)
    parser.add_argument("--until-end", action="store_true", help="end after what is there now, instead of waiting")
    commands.add_reasons(parser, "only dead letters of this reason; may be repeated; implies --dead-letters")
    parser.add_argument("--count", type=int, metavar="N", help="end after N records")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Show records until there are enough or Ctrl-C, and return the exit code."""
    if parsed.count is not None and parsed.count < 1:
        raise ConfigError(f"Expected --count of 1 or more, got {parsed.count}.")
    commands.since(parsed.since)  # a mistake in an argument is said before Kafka is asked
    if parsed.topic is not None and Path(parsed.topic).is_file() and not Path(parsed.config).exists():
        raise ConfigError(f"The topic comes first: headrace tail {parsed.config} {parsed.topic}.")
    loaded = config.read(parsed.config)
    topic = _topic(loaded.config, parsed)
    logs.leave_out("aiokafka")
    try:
        event_loop.run(_follow(loaded.config, topic, parsed))
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return commands.OK


def _topic(of: Config, parsed: argparse.Namespace) -> str:
    if parsed.dead_letters or parsed.reason:
        return str(parsed.topic or of.dead_letter_topic)
    from pipeline.build.options import topics as made_topics

    topics = made_topics(of)
    if of.tells_events:
        topics = {**topics, "device-events": of.device_events_topic}
    if parsed.topic is None:
        known = ", ".join([*topics, *topics.values()])
        raise ConfigError(f"Name a topic or a model in front of {parsed.config}: {known}; or say --dead-letters.")
    return topics.get(parsed.topic, str(parsed.topic))


async def _follow(of: Config, topic: str, parsed: argparse.Namespace) -> None:
    from pipeline.build.options import kafka_options as made_kafka_options
    from pipeline.tools import tail

    options = made_kafka_options(of)
    wanted = tail.Follow(
        topic,
        parsed.key,
        beginning=parsed.from_beginning,
        since=commands.since(parsed.since),
        until_end=parsed.until_end,
        reasons=frozenset(parsed.reason),
        count=parsed.count,
    )
    async with aclosing(tail.follow(options, wanted)) as records:
        async for record in records:
            line = json.dumps(tail.plain(record)) if parsed.format == "json" else tail.readable(record)
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

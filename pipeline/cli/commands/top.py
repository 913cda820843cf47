"""`headrace top`: what a running worker does, in a terminal."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from textwrap import wrap
from typing import Any

from pipeline import config
from pipeline.cli import commands
from pipeline.core.errors import ConfigError, StartError
from pipeline.core.logs import printable

Snapshot = Mapping[str, Any]
_LANE = 8  # characters of a full lane's bar


def lines(told: Snapshot, width: int) -> list[str]:
    """Return the lines, none of them longer than `width` characters."""
    return [printable(line)[:width] for line in _lines(told, width)]


def _lines(told: Snapshot, width: int) -> Iterator[str]:
    hours, minutes = divmod(told["uptime"] // 60, 60)
    yield f"Headrace {told['version']}  {told['tenant']}  up {hours} h {minutes:02} min"
    judged = told["verdict"]
    yield from _wrapped(f"{judged['words']}.", width)
    for reason in judged["reasons"]:
        yield from _wrapped(reason, width, "- ")  # how to mend it stands at its end
    yield ""
    yield from _flow(told, width)
    yield ""
    yield from _feeds(told)
    yield from _dead_letters(told, width)
    yield from _wrong(told, width)
    yield from _silent(told, width)


def _wrapped(text: str, width: int, margin: str = "") -> Iterator[str]:
    yield from wrap(printable(text), width, initial_indent=margin, subsequent_indent=" " * len(margin))


def _flow(told: Snapshot, width: int) -> Iterator[str]:
    _, received, published, dead, median, high = told["point"] or (0, 0.0, 0.0, 0.0, None, None)
    yield f"in {received:,.0f}/s   published {published:,.0f}/s   dead letters {dead:,.0f}/s"
    yield f"latency: median {_seconds(median)}, 99th percentile {_seconds(high)}"
    fates = ", ".join(f"{name.replace('_', ' ')} {count:,.0f}" for name, count in told["fates"].items() if count)
    right = "every message accounted for" if told["conserved"] else "MESSAGES UNACCOUNTED FOR"
    flows = f"received {told['received']:,.0f}: {fates or 'none settled'}; in flight {told['in_flight']:,.0f}: {right}"
    yield from _wrapped(flows, width)
    kafka = told["kafka"]
    yield f"Kafka: waiting {kafka['waiting']:,.0f}, sent {kafka['sent']:,.0f}, oldest {_seconds(kafka['oldest'])}"


def _feeds(told: Snapshot) -> Iterator[str]:
    yield f"{'FEED':18} {'':4} {'RECEIVED':>13} {'DEAD':>9} {'LAG':>8}  {'LANE':{_LANE + 2}} IN FLIGHT"
    for feed in told["feeds"]:
        full = feed["in_flight"] / feed["limit"] if feed["limit"] else 0.0
        bar = "#" * min(_LANE, round(full * _LANE))
        state = "up" if feed["connected"] else "DOWN"
        counts = (
            f"{feed['received']:13,.0f} {feed['fates'].get('dead_lettered', 0):9,.0f} {_seconds(feed['oldest']):>8}"
        )
        yield f"{_cut(feed['name'], 18):18} {state:4} {counts}  [{bar:{_LANE}}] {feed['in_flight']:,.0f}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 2]}.."


def _dead_letters(told: Snapshot, width: int) -> Iterator[str]:
    if told["dead_letters"]:
        yield ""
        yield "DEAD LETTERS since the start"
    for letter in told["dead_letters"]:
        yield from _wrapped(letter["explanation"], width, f"{letter['count']:9,.0f}  {letter['reason']:18} ")


def _wrong(told: Snapshot, width: int) -> Iterator[str]:
    if told["wrong"] or told["doubtful"]:
        yield ""
        yield "LATEST FAULTS, by source"
    for each in told["wrong"]:
        yield from _wrapped(f"{each['topic']}{_called(each)}", width, f"{each['count']:9,.0f}  {each['reason']:18} ")
    for each in told["doubtful"]:
        yield from _wrapped(f"{each['id']}{_called(each)}", width, f"{'':11}{each['quality']:18} ")


def _called(each: Mapping[str, Any]) -> str:
    return f"  {each['device']}" if each["device"] else ""


def _silent(told: Snapshot, width: int) -> Iterator[str]:
    devices = told["devices"]
    silent = sum(devices["silent"].values())
    yield ""
    gateways = devices["silent_gateways"]
    yield f"devices seen {devices['seen']:,.0f}, silent {silent:,.0f}; silent gateways {gateways:,.0f}"
    for each in devices["latest"]:
        last = f"{(told['time'] - each['last']) / 60_000:,.0f} min ago" if each["last"] else "never heard"
        said = f"{each['kind']} {each['name']}: {last}, expected every {each['interval']:,.0f} s ({each['known']})"
        yield from _wrapped(said, width, "   ")


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


_HOME, _REST_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_WAITING = "The worker does not answer; these figures are its last. Waiting for it."
_HELP = f"""examples:
  headrace top city.yaml
  headrace top city.yaml --count 1
  headrace top city.yaml --count 1 --format json

The figures are those of the status page, which stands at `/` of `admin.listen`; the token of `admin.token_file` is
sent where there is one. Ctrl-C ends it; a worker that is restarted is waited for.

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "top",
        help="show what the running worker does, second by second",
        epilog=_HELP,
        description="Show throughput, latency, feeds with their lanes, dead letters and silent devices of the "
        "worker that runs with this configuration on this machine.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--count", type=int, metavar="N", help="end after N seconds' figures")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Show figures until there are enough or Ctrl-C, and return the exit code."""
    if parsed.count is not None and parsed.count < 1:
        raise ConfigError(f"Expected --count of 1 or more, got {parsed.count}.")
    loaded = config.read(parsed.config)
    from pipeline.build import options as wiring
    from pipeline.http import client as asking

    address, token = wiring.admin_address(loaded.config), wiring.admin_token(loaded.config)
    live = sys.stdout.isatty() and parsed.format == "text" and parsed.count is None
    try:
        _follow(lambda: asking.fetch_snapshot(*address, token and token()), parsed, live=live)
    except KeyboardInterrupt:
        pass
    except (LookupError, TypeError, ValueError, AttributeError) as problem:  # a figure that is not what it should be
        raise asking.no_worker(*address, "no snapshot") from problem
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return commands.OK


def _follow(ask: Callable[[], dict[str, Any]], parsed: argparse.Namespace, *, live: bool) -> None:
    told = ask()  # that no worker answers at all is an error
    sys.stdout.write(_OTHER_SCREEN if live else "")
    try:
        shown = 0
        while True:
            sys.stdout.write(_drawn(told, parsed.format, live=live))
            sys.stdout.flush()
            shown += 1
            if shown == parsed.count:
                return
            time.sleep(1.0)
            told = _next(ask, live=live)
    finally:
        sys.stdout.write(_BACK if live else "")


def _next(ask: Callable[[], dict[str, Any]], *, live: bool) -> dict[str, Any]:
    """Return the next figures, and wait for a worker that is restarted, saying so."""
    said = False
    while True:
        try:
            return ask()
        except StartError as away:
            if live:
                sys.stdout.write(f"{_HOME}{_WAITING}{_REST_OF_LINE}\n")
            elif not said:
                sys.stderr.write(f"{away}\n{_WAITING}\n")
            sys.stdout.flush()
            said = True
            time.sleep(1.0)


def _drawn(told: dict[str, Any], form: str, *, live: bool) -> str:
    if form == "json":
        return json.dumps(told) + "\n"

    size = shutil.get_terminal_size((120, 60))
    if not live:
        return "\n".join(lines(told, size.columns)) + "\n\n"
    shown = lines(told, size.columns)[: size.lines - 1]
    return _HOME + "".join(f"{line}{_REST_OF_LINE}\n" for line in shown) + _BELOW

"""The essentials of a snapshot as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from pipeline.core.printable import printable

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

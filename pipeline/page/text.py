"""The essentials of a snapshot as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from pipeline.printable import printable

Snapshot = Mapping[str, Any]
_LANE = 12  # characters of a full lane's bar


def lines(told: Snapshot, width: int) -> list[str]:
    """Return the lines, none of them longer than `width` characters."""
    return [printable(line)[:width] for line in _lines(told, width)]


def _lines(told: Snapshot, width: int) -> Iterator[str]:
    hours, minutes = divmod(told["uptime"] // 60, 60)
    yield f"Headrace {told['version']}  {told['tenant']}  up {hours} h {minutes:02} min"
    for reason in [*told["not_ready"], *_late(told)] or ["Every feed is connected, and Kafka takes what comes."]:
        yield from wrap(printable(reason), width)  # how to mend it stands at its end
    for remark in told["remarks"]:
        yield from wrap(printable(remark), width)
    if told["config_refused"]:
        yield "The configuration file was refused at the last reload; the one before it is in force."
    yield ""
    yield from _flow(told)
    yield ""
    yield from _feeds(told)
    yield from _dead_letters(told)
    yield from _wrong(told)
    yield from _silent(told)


def _flow(told: Snapshot) -> Iterator[str]:
    _, received, published, dead, median, high = told["point"] or (0, 0.0, 0.0, 0.0, None, None)
    yield f"in {received:,.0f}/s   published {published:,.0f}/s   dead letters {dead:,.0f}/s"
    yield f"latency: median {_seconds(median)}, 99th percentile {_seconds(high)}"
    fates = ", ".join(f"{name.replace('_', ' ')} {count:,.0f}" for name, count in told["fates"].items() if count)
    right = "every message accounted for" if told["conserved"] else "MESSAGES UNACCOUNTED FOR"
    yield f"received {told['received']:,.0f}: {fates or 'none settled'}; in flight {told['in_flight']:,.0f}: {right}"
    kafka = told["kafka"]
    yield f"Kafka: waiting {kafka['waiting']:,.0f}, sent {kafka['sent']:,.0f}, oldest {_seconds(kafka['oldest'])}"


def _feeds(told: Snapshot) -> Iterator[str]:
    yield f"{'FEED':20} {'':13} {'RECEIVED':>13} {'DEAD':>9} {'LAG':>8}  LANE"
    for feed in told["feeds"]:
        full = feed["in_flight"] / feed["limit"] if feed["limit"] else 0.0
        bar = "#" * min(_LANE, round(full * _LANE))
        state = "connected" if feed["connected"] else "NOT CONNECTED"
        counts = (
            f"{feed['received']:13,.0f} {feed['fates'].get('dead_lettered', 0):9,.0f} {_seconds(feed['oldest']):>8}"
        )
        yield f"{feed['name']:20} {state:13} {counts}  [{bar:{_LANE}}] {feed['in_flight']:,.0f}/{feed['limit']:,.0f}"


def _dead_letters(told: Snapshot) -> Iterator[str]:
    if told["dead_letters"]:
        yield ""
        yield "DEAD LETTERS"
    for letter in told["dead_letters"]:
        yield f"{letter['count']:9,.0f}  {letter['reason']:18} {letter['explanation']}"


def _late(told: Snapshot) -> Iterator[str]:
    for feed in told["feeds"]:
        if feed["oldest"] > feed["patience"]:
            yield f"A message of feed {feed['name']} has waited for {_seconds(feed['oldest'])}: not confirmed yet."


def _wrong(told: Snapshot) -> Iterator[str]:
    if told["wrong"] or told["doubtful"]:
        yield ""
        yield "WRONG OF LATE"
    for each in told["wrong"]:
        yield f"{each['count']:9,.0f}  {each['reason']:18} {each['topic']}"
    for each in told["doubtful"]:
        yield f"           {each['quality']:18} {each['id']}"


def _silent(told: Snapshot) -> Iterator[str]:
    devices = told["devices"]
    silent = sum(devices["silent"].values())
    yield ""
    gateways = devices["silent_gateways"]
    yield f"devices heard of {devices['seen']:,.0f}, silent {silent:,.0f}; silent gateways {gateways:,.0f}"
    for each in devices["latest"]:
        last = f"{(told['time'] - each['last']) / 60_000:,.0f} min ago" if each["last"] else "never heard"
        yield f"   {each['kind']} {each['name']}: {last}, expected every {each['interval']:,.0f} s ({each['known']})"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"

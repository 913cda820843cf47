"""The live view on a terminal, drawn by rich."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Self

from rich.console import Group
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from pipeline.core.errors import Reason
from pipeline.demo.tally import QUIET_SECONDS, Moment, in_ms

_FRAME_SECONDS: Final = 0.25
_TALL: Final = 40  # lines that the view and the hints need
_FLOW: Final = 10
_TOPICS: Final = 9  # lines, with the frame's two: four models, events, two of devices
_LORAWAN: Final = 11  # eight outcomes, and a heading


class Screen:
    """Draws each moment on a screen of its own; what was on the terminal before comes back at the end."""

    def __init__(self, hints: str, seconds: float | None) -> None:
        self._hints = hints
        self._ends = "Ctrl-C ends it" if seconds is None else f"until {seconds:g} s, or Ctrl-C"
        self._live = Live(screen=True, auto_refresh=False)
        self._next = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def show(self, moment: Moment) -> None:
        """Draw, if it is time."""
        if moment.seconds >= self._next:
            self._next = moment.seconds + _FRAME_SECONDS
            self._live.update(self._drawn(moment), refresh=True)

    def _drawn(self, moment: Moment) -> Layout:
        title = Text(f" Headrace: a city of {moment.devices} devices, {moment.seconds:.0f} s ({self._ends})", "bold")
        layout, body, left, right = Layout(), Layout(), Layout(), Layout()
        left.split_column(
            Layout(_flow(moment), size=_FLOW), Layout(_topics(moment), size=_TOPICS), Layout(_dead(moment))
        )
        right.split_column(Layout(_lorawan(moment), size=_LORAWAN), Layout(_newest(moment)))
        body.split_row(left, right)
        layout.split_column(Layout(title, size=1), *_trouble(moment), body, *self._drawn_hints())
        return layout

    def _drawn_hints(self) -> list[Layout]:
        size = self._live.console.size
        if size.height < _TALL:
            return []  # they were printed before the view began
        height = sum(-(-len(line) // (size.width - 4)) for line in self._hints.splitlines()) + 2
        panel = Panel(Text(self._hints, overflow="fold"), title="try next, in a second terminal", border_style="dim")
        return [Layout(panel, size=height + 1)]


def _trouble(moment: Moment) -> list[Layout]:
    if not moment.trouble:
        return []
    text = Text("\n".join(moment.trouble), "bold red", overflow="ellipsis", no_wrap=True)
    return [Layout(Panel(text, title="messages do not all flow", border_style="red"), size=len(moment.trouble) + 2)]


def _rows(title: str, rows: list[tuple[str, str]]) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(justify="right", style="bold", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return Panel(table, title=title, title_align="left")


def _flow(moment: Moment) -> Panel:
    worker = moment.tally.worker
    return _rows(
        "flow",
        [
            ("from MQTT", f"{moment.rate_in:,.0f}/s"),
            ("to Kafka, confirmed", f"{moment.rate_out:,.0f}/s"),
            ("latency p50, p99", f"{in_ms(moment.p50)}, {in_ms(moment.p99)}"),
            ("received, in flight", f"{worker.received:,}, {worker.in_flight:,}"),
            ("every message accounted for", "yes" if worker.conserved else "NO"),
            ("entities heard of", f"{moment.entities:,}"),
            (f"quiet for {QUIET_SECONDS:.0f} s", f"{moment.quiet:,}"),
            ("flagged in ce_quality", f"{moment.tally.flagged:,}"),
        ],
    )


def _topics(moment: Moment) -> Panel:
    counts = {**moment.tally.records, **moment.tally.about}
    return _rows("topics, as a consumer reads them", [(each, f"{n:,}") for each, n in counts.items()])


def _lorawan(moment: Moment) -> Panel:
    worker = moment.tally.worker
    lists = (
        ("by feed", worker.feeds),
        ("raw frames", {name: n for name, n in worker.frames.items() if n}),
        ("events", moment.events),
    )
    table = Table.grid(expand=True, padding=(0, 1))
    for _ in lists:
        table.add_column(ratio=1)
    table.add_row(*(_counts(title, counts) for title, counts in lists))
    title = f"plain MQTT and LoRaWAN, {worker.gateways} gateways"
    return Panel(table, title=title, title_align="left")


def _counts(title: str, counts: Mapping[str, int]) -> Group:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for name, n in counts.items():
        table.add_row(f"{n:,}", name)
    return Group(Text(title, "dim", no_wrap=True), table)


def _dead(moment: Moment) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(style="bold red", no_wrap=True)
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis", ratio=1)
    for reason, n in sorted(moment.tally.dead_letters.items()):
        table.add_row(reason, f"{n:,}", _explained(reason))
    return Panel(table, title="dead letters by reason", title_align="left")


def _explained(reason: str) -> str:
    return next((each.explanation for each in Reason if each.value == reason), "")


def _newest(moment: Moment) -> Panel:
    record = moment.newest
    if record is None:
        return Panel("", title="the newest entity", title_align="left")
    members = json.loads(record.value or b"{}").items()
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(member, ensure_ascii=False)}" for name, member in members)
    syntax = Syntax(text, "json", theme="ansi_dark", background_color="default", word_wrap=True)
    return Panel(Group(Text(record.topic, style="bold"), syntax), title="the newest entity", title_align="left")

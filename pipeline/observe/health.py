"""Whether the worker lives, has started and is ready, each with its reasons; and the whole of it for a person.

Only the event loop's lag says that it does not live: a restart cures nothing else. A broker or Kafka that is away makes
it not ready: nothing comes or goes, and what routes to it or waits for it should know.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from pipeline.core.delivery import Ledger
from pipeline.http.server import Answer, Page, probe


@dataclass(slots=True)
class ConfigStatus:
    """Times are seconds since 1970 UTC.

    Attributes:
        refused: What was wrong with the file at the last reload; empty if nothing.
    """

    file: str = ""
    hash: str = ""
    loaded: float = field(default_factory=time.time)
    reloads: int = 0
    refusals: int = 0
    refused: list[str] = field(default_factory=list)

    def applied(self, fingerprint: str) -> None:
        """Note that the file was taken."""
        self.hash, self.loaded, self.refused = fingerprint, time.time(), []
        self.reloads += 1

    def reload_failed(self, why: list[str]) -> None:
        """Note that the file was refused."""
        self.refused = why
        self.refusals += 1


_TICK = 0.1
_HALF = 15.0  # seconds; two such windows are looked at, so that no scrape every 15 s misses a peak


class LoopLag:
    """Measures while `run` runs. All values are seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due: float | None = None
        self._last = 0.0
        self._since = clock()
        self._peak = self._peak_before = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            self._due = self._clock() + _TICK
            await asyncio.sleep(_TICK)
            self.note(self._clock() - self._due)

    def note(self, late: float) -> None:
        """Take one measurement."""
        self._last = max(0.0, late)
        if self._clock() - self._since >= _HALF:
            self._since, self._peak_before, self._peak = self._clock(), self._peak, 0.0
        self._peak = max(self._peak, self._last)

    def now(self) -> float:
        """How late the loop is at this moment: the last measurement, or the one that is overdue."""
        overdue = 0.0 if self._due is None else self._clock() - self._due
        return max(self._last, overdue)

    def worst(self) -> float:
        """How late it was at its worst, in the last 15 to 30 seconds."""
        return max(self._peak, self._peak_before, self.now())


_DEAD = 10.0  # seconds that the loop may be late
_UNKEPT = "State cannot be kept: after a restart recorded LoRaWAN frames are accepted again, and Devices told anew."
_HELD = "State cannot be kept: LoRaWAN frames are held back, unacknowledged."


@dataclass(slots=True)
class FeedHealth:
    """One feed: whether it reads, its counts, why it has no connection (empty if it does not say), if it ever did."""

    up: Callable[[], bool]
    ledger: Ledger
    problem: Callable[[], str] = str
    was_up: bool = False

    def look(self) -> bool:
        """Say whether it reads, and remember that it did."""
        self.was_up = self.was_up or self.up()
        return self.up()


class Health:
    """Looks at the parts when asked.

    Args:
        kafka: Why Kafka takes nothing now; empty when it does.
    """

    def __init__(self, version: str, lag: LoopLag, kafka: Callable[[], str]) -> None:
        self.feeds: dict[str, FeedHealth] = {}
        self.config = ConfigStatus()
        self.draining = False
        self.state: Callable[[], str] = str  # why nothing outlives the process now; empty while it does
        self.holds: Callable[[], bool] = bool  # whether frames wait meanwhile
        self.clock: Callable[[], str] = str  # what is wrong with this machine's clock; else empty
        self._version, self._lag, self._kafka = version, lag, kafka
        self._began = time.time()
        self._started = False

    def not_live(self) -> list[str]:
        """Why it should be restarted."""
        late = self._lag.now()
        return [f"The event loop is {late:.1f} s late."] if late > _DEAD else []

    def not_started(self) -> list[str]:
        """Why it has not started yet; nothing, once Kafka was there and every feed has read."""
        if self._started:
            return []
        reasons = self._away(ever=True)
        self._started = not reasons
        return reasons

    @property
    def started(self) -> bool:
        """Whether Kafka was there and every feed has had its subscription."""
        return not self.not_started()

    def not_ready(self) -> list[str]:
        """Why messages do not flow now, for any caller: without client ids and user names."""
        return [*(["Draining."] if self.draining else []), *self._away(ever=False)]

    def degraded(self) -> list[str]:
        """Say what needs repair though messages flow, for any caller: without the names of our files."""
        return [*([_UNKEPT] if self._unkept() else []), *filter(None, [self.clock()])]

    def remarks(self) -> list[str]:
        """Say what needs repair though messages flow, for operators."""
        return [*([f"{_UNKEPT} {self.state()}"] if self._unkept() else []), *filter(None, [self.clock()])]

    def _unkept(self) -> bool:
        return bool(self.state()) and not self.holds()

    def diagnosis(self) -> list[str]:
        """Why messages do not flow now, for operators."""
        return [*(["Draining."] if self.draining else []), *self._away(ever=False, whole=True)]

    def _away(self, *, ever: bool, whole: bool = False) -> list[str]:
        reasons = [self._kafka()] if self._kafka() else []
        for name, feed in self.feeds.items():
            if not feed.look() and not (ever and feed.was_up):
                why = feed.problem() if whole else ""
                reasons.append(f"Feed {name} is not connected." + (f" {why}" if why else ""))
        if not ever and self.state() and self.holds():
            reasons.append(f"{_HELD} {self.state()}" if whole else _HELD)
        return reasons

    def status(self) -> str:
        """Return one line."""
        reasons = self.diagnosis()
        flying = sum(feed.ledger.in_flight() for feed in self.feeds.values())
        if self.draining:
            return f"Draining, {flying} messages have no fate yet."
        if self.config.refused:  # `systemctl reload` itself says only that it has asked
            reasons.append("The configuration file was refused at the last reload; the one before it is in force.")
        reasons += self.remarks()
        return " ".join(reasons) if reasons else f"Ready, {len(self.feeds)} feed(s), {flying} messages in flight."

    def whole(self) -> Mapping[str, Any]:
        """Return all of it, for JSON. Times are seconds, and seconds since 1970 UTC where they say when."""
        reasons = {"live": self.not_live(), "started": self.not_started(), "ready": self.diagnosis()}
        degraded = self.remarks()
        return {
            "status": "failing" if any(reasons.values()) else "degraded" if degraded else "ok",
            "version": self._version,
            "started_at": round(self._began, 3),
            "draining": self.draining,
            "reasons": reasons,
            "degraded": degraded,
            "event_loop_lag": round(self._lag.worst(), 4),
            "config": asdict(self.config),
            "kafka": {"ready": not self._kafka(), "problem": self._kafka()},
            "feeds": {name: _feed(feed) for name, feed in self.feeds.items()},
        }


def pages(exposition: Callable[[], tuple[str, bytes]], health: Health) -> dict[str, Page]:
    """Return what the admin server serves.

    Args:
        exposition: The metrics as content type and text.
    """

    def metrics() -> Answer:
        kind, body = exposition()
        return 200, kind, body

    def verbose() -> Answer:
        whole = health.whole()
        status = 503 if whole["status"] == "failing" else 200
        return status, "application/json", f"{json.dumps(whole, indent=2)}\n".encode()

    return {
        "/metrics": Page(metrics),
        "/livez": probe(health.not_live),
        "/readyz": probe(health.not_ready, health.degraded),
        "/startupz": probe(health.not_started),
        "/healthz": probe(lambda: [*health.not_live(), *health.not_ready()], health.degraded),
        "/healthz?verbose": Page(verbose, guarded=True),
    }


def _feed(feed: FeedHealth) -> dict[str, Any]:
    ledger = feed.ledger
    return {
        "connected": feed.look(),
        "problem": "" if feed.look() else feed.problem(),
        "received": ledger.received,
        "acknowledged": ledger.acknowledged,
        "in_flight": ledger.in_flight(),
        "oldest_unsettled": round(ledger.oldest(), 3),
        "conserved": ledger.conserved(),
    }

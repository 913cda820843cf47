"""Health: what makes a worker live, started and ready, and what it says when it is not."""

from __future__ import annotations

import asyncio
import json
import time

from pipeline.core.delivery import Ledger
from pipeline.observe.health import FeedHealth, Health, LoopLag, pages


class Parts:
    """Stands for Kafka and one feed."""

    def __init__(self) -> None:
        self.now = 100.0
        self.up = False
        self.trouble = "Kafka is away."
        self.lag = LoopLag(lambda: self.now)
        self.health = Health("1.2.3", self.lag, lambda: self.trouble)
        self.health.feeds["city"] = FeedHealth(lambda: self.up, Ledger())

    def ask(self, page: str) -> tuple[int, str]:
        status, _, body = pages(lambda: ("", b""), self.health)[page].answer()
        return status, body.decode()


def test_started_once_is_started_for_good_and_ready_is_not() -> None:
    parts = Parts()
    assert parts.ask("/startupz") == (503, "Kafka is away.\nFeed city is not connected.\n")
    assert parts.ask("/readyz") == (503, "Kafka is away.\nFeed city is not connected.\n")
    parts.trouble, parts.up = "", True
    assert parts.ask("/startupz") == parts.ask("/readyz") == (200, "ok\n")
    parts.up = False
    assert parts.ask("/readyz") == (503, "Feed city is not connected.\n")
    assert parts.ask("/startupz") == (200, "ok\n")
    assert parts.health.status() == "Feed city is not connected."
    parts.up, parts.health.draining = True, True
    assert parts.ask("/readyz") == (503, "Draining.\n")
    assert parts.health.status() == "Draining, 0 messages have no fate yet."


def test_feeds_need_not_be_up_at_one_moment_to_have_started() -> None:
    parts = Parts()
    up = [True, False]
    parts.health.feeds = {str(at): FeedHealth(lambda at=at: up[at], Ledger()) for at in range(2)}  # type: ignore[misc]
    parts.trouble = ""
    assert parts.health.not_started() == ["Feed 1 is not connected."]
    up[:] = [False, True]
    assert parts.health.started


def test_only_the_loop_makes_it_dead() -> None:
    parts = Parts()
    assert parts.ask("/livez") == (200, "ok\n")
    parts.lag.note(10.5)
    assert parts.ask("/livez") == (503, "The event loop is 10.5 s late.\n")
    parts.lag.note(0.01)
    assert parts.ask("/livez")[0] == 200
    assert parts.lag.worst() == 10.5
    for _ in range(2):
        parts.now += 15
        parts.lag.note(0.02)
    assert parts.lag.worst() == 0.02


def test_a_loop_that_is_held_up_shows() -> None:
    async def hold() -> LoopLag:
        lag = LoopLag()
        running = asyncio.create_task(lag.run())
        await asyncio.sleep(0.15)
        time.sleep(0.5)  # noqa: ASYNC251 - the fault itself
        assert lag.now() > 0.2
        await asyncio.sleep(0.05)
        running.cancel()
        return lag

    assert 0.3 < asyncio.run(hold()).worst() < 5


def test_why_a_feed_has_no_connection_is_told_to_those_who_mend_it_alone() -> None:
    parts = Parts()
    problem = ["The broker refused client id a."]
    parts.trouble, parts.health.feeds["city"].problem = "", lambda: problem[0]
    whole = "Feed city is not connected. The broker refused client id a."
    assert parts.health.status() == whole
    told = json.loads(parts.ask("/healthz?verbose")[1])
    assert (told["reasons"]["ready"], told["feeds"]["city"]["problem"]) == ([whole], "The broker refused client id a.")
    assert [parts.ask(page)[1] for page in ("/readyz", "/startupz", "/healthz")] == 3 * [
        "Feed city is not connected.\n"
    ]
    parts.up = True
    assert json.loads(parts.ask("/healthz?verbose")[1])["feeds"]["city"]["problem"] == ""


def test_the_status_tells_that_a_reload_was_refused() -> None:
    parts = Parts()
    parts.trouble, parts.up = "", True
    parts.health.config.reload_failed(["a.yaml:3  feeds.city.qos  is wrong."])
    assert parts.health.status().startswith("The configuration file was refused at the last reload;")
    assert parts.ask("/readyz") == (200, "ok\n")
    parts.health.config.applied("123")
    assert parts.health.status() == "Ready, 1 feed(s), 0 messages in flight."


def test_state_that_cannot_be_kept_is_told_everywhere() -> None:
    parts = Parts()
    parts.trouble, parts.up = "", True
    parts.health.state = lambda: "/var/lib/x cannot be used."
    status, text = parts.ask("/readyz")
    assert (status, text.splitlines()[0]) == (200, "ok, but degraded:")
    assert "/var/lib" not in text
    assert parts.health.status().endswith("/var/lib/x cannot be used.")
    status, text = parts.ask("/healthz?verbose")
    assert (status, json.loads(text)["status"]) == (200, "degraded")
    assert json.loads(text)["degraded"][0].endswith("/var/lib/x cannot be used.")

    parts.health.holds = lambda: True
    held = "State cannot be kept: LoRaWAN frames are held back, unacknowledged."
    assert parts.ask("/readyz") == (503, f"{held}\n")
    assert parts.health.diagnosis() == [f"{held} /var/lib/x cannot be used."]
    assert parts.ask("/startupz")[0] == 200, "a restart mends no disk"


def test_a_wrong_clock_is_said_wherever_one_looks() -> None:
    parts = Parts()
    parts.trouble, parts.up = "", True
    parts.health.clock = lambda: "This machine's clock says 1970."
    assert parts.ask("/readyz") == (200, "ok, but degraded:\nThis machine's clock says 1970.\n")
    assert parts.health.status() == "This machine's clock says 1970."
    assert json.loads(parts.ask("/healthz?verbose")[1])["degraded"] == ["This machine's clock says 1970."]
    assert parts.health.remarks() == ["This machine's clock says 1970."]


def test_the_whole_of_it() -> None:
    parts = Parts()
    parts.health.config.refused = ["a.yaml:3  feeds.city.qos  is wrong."]
    status, text = parts.ask("/healthz?verbose")
    whole = json.loads(text)
    assert status == 503
    assert whole["status"] == "failing"
    assert whole["version"] == "1.2.3"
    assert whole["reasons"] == {
        "live": [],
        "started": ["Kafka is away.", "Feed city is not connected."],
        "ready": ["Kafka is away.", "Feed city is not connected."],
    }
    assert whole["feeds"]["city"]["conserved"] is True
    assert whole["config"]["refused"] == ["a.yaml:3  feeds.city.qos  is wrong."]
    parts.trouble, parts.up = "", True
    assert parts.ask("/healthz?verbose")[0] == 200

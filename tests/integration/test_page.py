"""The status page in a real browser: it says what /metrics says, shows a fault at once, and is good to read and use."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.worker_bench import WorkerBench, reading
from tests.support.browser import DESKTOP, PHONE, Window, browser, open_window
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.ports import LOOPBACK, free_port
from tests.support.prometheus import get

pytestmark = pytest.mark.real
expect.set_options(timeout=60_000)

BROKEN_WORDS = """() => [...document.querySelectorAll("th, td, h2, h3, dt")].flatMap((element) => {
    const broken = [], walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) for (const word of walk.currentNode.data.matchAll(/[^\\s-]+/g)) {
        const range = document.createRange();
        range.setStart(walk.currentNode, word.index);
        range.setEnd(walk.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1) broken.push(word[0]);
    }
    return broken;
})"""
WELL = re.compile("All is well")
TOKEN = "0123456789abcdef"
# The contrast of each text that is seen, by WCAG 2.2 (1.4.3): the worst one, and whose it is.
CONTRAST = """() => {
  const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((n) => n / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(", 0)")) return c; } };
  const texts = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  const found = texts.map((e) => { const style = getComputedStyle(e);
    const [a, b] = [light(e instanceof SVGElement ? style.fill : style.color), light(behind(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), `${e.tagName} ${e.textContent}`]; });
  return [found.length, ...found.sort((x, y) => x[0] - y[0])[0]]; }"""

# The height in pixels of the smallest letters that are seen, those of drawings included.
SMALLEST = """() => Math.min(...[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((e) => parseFloat(getComputedStyle(e).fontSize) * (e.getScreenCTM?.()?.a ?? 1)))"""

LOOK = 1.0  # seconds between two of the page's looks
CHANGES = """() => { window.changes = 0; new MutationObserver(() => window.changes++)
    .observe(document.querySelector("#verdict"), {subtree: true, childList: true, characterData: true}); }"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def number(text: str) -> int:
    return int(text.replace(",", ""))


def settled(window: Window, received: int) -> None:
    expect(window.page.locator("#fates [data-term=received]")).to_have_text(f"{received:,}")


def test_what_the_page_says_is_what_prometheus_reads(bench: WorkerBench, chromium: Browser) -> None:
    worker = bench.worker()
    poison = [b"poison", b"[]", b"[]"]
    bench.publish(*[reading(n, device=n % 40) for n in range(1500)], *poison)
    bench.settled(worker, 1503)
    window = open_window(chromium, worker.admin)
    settled(window, 1503)

    metric = worker.metric
    assert {name: number(value) for name, value in window.terms("#fates").items()} == {
        "received": metric("headrace_received_messages_total"),
        "published": metric("headrace_messages_total", fate="published"),
        "dead lettered": metric("headrace_messages_total", fate="dead_lettered"),
        "in flight": metric("headrace_in_flight_messages"),
    }
    assert window.text("#kept") == "✓ the sum is right"
    feed = window.terms("[data-feed=city]")
    assert number(feed["published"]) == metric("headrace_messages_total", feed="city", fate="published")
    assert window.text("[data-feed=city] .room").split("\n")[-1] == "0 of 5,000 in flight"
    for reason in ("malformed", "not_an_object"):
        told = window.text(f"[data-reason={reason}] h3").split()
        assert number(told[-1]) == metric("headrace_dead_letters_total", reason=reason)
    assert "Name a format on the route." in window.text("[data-reason=not_an_object]")
    assert window.page.locator("#dead h3 span").all_inner_texts() == ["2", "1"]
    assert window.text("#wrong li:first-child h3") == f"{bench.tenant}/aq/0001\n3"
    assert "not_an_object" in window.text("#wrong li:first-child p")
    topics = {row.split("\t")[0]: row.split("\t")[1] for row in window.page.locator("#topics tr").all_inner_texts()}
    assert {topic: number(count) for topic, count in topics.items()} == {
        topic: metric("headrace_published_records_total", topic=topic)
        for topic in (f"{bench.tenant}.AirQualityObserved.v1", f"{bench.tenant}.dead-letter.v1")
    }
    assert re.search(r"^city-aq.*\b3$", window.text("#connectors"), flags=re.DOTALL)
    assert "with a place" in window.text("#map-count")
    assert (window.complaints, window.elsewhere) == ([], [])
    assert worker.stop() == 0


def test_a_fault_shows_on_the_open_page(
    bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], chromium: Browser
) -> None:
    bench.mosquitto = new_mosquitto()
    worker = bench.worker()
    window = open_window(chromium, worker.admin)
    verdict = window.page.locator("#verdict")
    expect(verdict).to_contain_text(WELL)

    bench.mosquitto.process.hard_kill()
    expect(verdict).to_contain_text("Feed city is not connected.")
    expect(window.page.locator("[data-feed=city] .dot")).to_have_text("not connected")
    expect(verdict).to_contain_text("cannot be reached: Connection refused.")
    bench.mosquitto.start()
    worker.wait_ready()
    expect(verdict).to_contain_text(WELL)

    worker.kill()
    expect(verdict).to_contain_text("This page has lost the worker")
    worker.start()
    expect(verdict).to_contain_text(WELL)
    assert worker.stop() == 0


@pytest.mark.parametrize(
    ("how", "said", "sent"),
    [
        pytest.param("hard_kill", "Kafka at", 0, id="it is gone, and nobody sends"),
        pytest.param("hard_kill", "Kafka at", 1, id="it is gone"),
        pytest.param("pause", "A message of feed city has waited for", 1, id="it does not answer"),
    ],
)
def test_a_fault_of_kafka_shows_within_two_seconds(
    bench: WorkerBench, living_kafka: Kafka, chromium: Browser, *, how: str, said: str, sent: int
) -> None:
    bench.kafka = living_kafka
    bench.client = KafkaClient(bench.kafka.bootstrap())
    worker = bench.worker()
    bench.publish(reading(0))
    bench.settled(worker, 1)
    window = open_window(chromium, worker.admin)
    verdict = window.page.locator("#verdict")
    expect(verdict).to_contain_text(WELL)
    getattr(bench.kafka.process, how)()
    bench.publish(*[reading(1)] * sent)
    [feed] = json.loads(get(f"{worker.admin}/snapshot.json") or "{}")["feeds"]
    assert feed["patience"] + LOOK < 2
    expect(verdict).to_contain_text(said)
    window.page.evaluate(CHANGES)
    time.sleep(4)
    assert window.page.evaluate("changes") <= 3, "what is read aloud does not change each second"
    bench.kafka.process.resume() if how == "pause" else bench.kafka.start()
    expect(verdict).to_contain_text(WELL)
    assert worker.stop() == 0


def test_a_payload_is_shown_only_when_it_may_be(bench: WorkerBench, chromium: Browser) -> None:
    worker = bench.worker()
    bench.publish(b"<b>poison</b>")
    bench.settled(worker, 1)
    window = open_window(chromium, worker.admin)
    window.page.get_by_text("a recent one").click()
    expect(window.page.locator(".recent")).to_be_visible()
    assert "poison" not in (get(f"{worker.admin}/snapshot.json") or "poison")
    assert worker.stop() == 0

    worker.config["admin"] = {**worker.config["admin"], "payload_samples": True}
    worker.start()
    bench.publish(b"<b>poison</b>")
    bench.settled(worker, 1)
    expect(window.page.locator("[data-reason=malformed] pre")).to_have_text("<b>poison</b>")
    assert worker.stop() == 0


def test_it_is_good_to_read_and_to_use(bench: WorkerBench, chromium: Browser, tmp_path: Path) -> None:
    worker = bench.worker()
    bench.publish(*[reading(n, device=n, lat=52 + n / 100) for n in range(40)], b"poison")
    bench.settled(worker, 41)
    for size in (DESKTOP, PHONE):
        for scheme in ("light", "dark"):
            window = open_window(chromium, worker.admin, size, scheme)
            settled(window, 41)
            expect(window.page.locator("#throughput polyline")).to_have_count(3)
            window.page.screenshot(path=tmp_path / f"{size[0]}-{scheme}.png", full_page=True)
            assert window.page.evaluate("document.documentElement.scrollWidth") == size[0]
            assert window.page.evaluate(BROKEN_WORDS) == []
            assert_readable(window)
            assert_told_aloud(window)
            assert_usable_by_keyboard(window)
            assert_usable_by_finger(window)
            assert (window.complaints, window.elsewhere) == ([], [])
            window.page.close()
    assert worker.stop() == 0


def test_a_second_with_one_value_is_seen_in_a_plot(bench: WorkerBench, chromium: Browser) -> None:
    """A line needs two; a city with a reading a minute has one, and nothing before and after it."""
    worker = bench.worker()
    window = open_window(chromium, worker.admin)
    points = "[[1e12, null], [1e12 + 1000, 5], [1e12 + 2000, null], [1e12 + 3000, 6], [1e12 + 4000, 7]]"
    drawn = window.page.evaluate(
        f"""async () => {{
            const {{ Plot }} = await import("./plot.js");
            const figure = document.querySelector("main").appendChild(document.createElement("figure"));
            const plot = new Plot(figure, ["one"], String, 1);
            plot.show({points});
            while (!figure.querySelector("polyline")) await new Promise(requestAnimationFrame);
            const [dot] = figure.querySelectorAll("circle.point");
            return [figure.querySelectorAll("circle.point").length, dot.getBoundingClientRect().width];
        }}"""
    )
    assert drawn[0] == 1
    assert drawn[1] >= 4
    assert (window.complaints, window.elsewhere) == ([], [])
    window.page.close()
    assert worker.stop() == 0


def assert_readable(window: Window) -> None:
    texts, worst, whose = window.page.evaluate(CONTRAST)
    assert texts > 50
    assert 4.5 <= worst < 21, whose
    assert window.page.evaluate(SMALLEST) >= 12
    landmarks = ("header", "main", "footer", "h1", "[aria-live]", "[role=meter][aria-valuenow]")
    assert [window.page.locator(each).count() for each in landmarks] == [1] * len(landmarks)


def assert_told_aloud(window: Window) -> None:
    """Hold what Chromium tells a screen reader: what can have the focus has a name, and each figure a heading."""
    session = window.page.context.new_cdp_session(window.page)
    nodes = [each for each in session.send("Accessibility.getFullAXTree")["nodes"] if not each["ignored"]]
    session.detach()
    roles = [each["role"]["value"] for each in nodes]
    stops = [each for each in nodes if any(told["name"] == "focusable" for told in each["properties"])]
    nameless = [each["role"]["value"] for each in stops if not each.get("name", {}).get("value")]
    assert {each["role"]["value"] for each in stops} >= {"link", "image", "DisclosureTriangle"}
    assert [role for role in nameless if role != "RootWebArea"] == []
    assert {"banner", "main", "contentinfo", "status", "meter", "rowheader", "columnheader"} <= set(roles)
    levels = [
        int(told["value"]["value"])
        for each in nodes
        if each["role"]["value"] == "heading"
        for told in each["properties"]
        if told["name"] == "level"
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "no level is left out"


def assert_usable_by_keyboard(window: Window) -> None:
    page = window.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    page.locator("#throughput svg").focus()
    page.keyboard.press("ArrowLeft")
    assert re.search(r"\d:\d\d:\d\d", window.text("#throughput .keys small"))
    page.locator("#map svg").focus()
    page.keyboard.press("ArrowRight")
    assert window.text("#picked").startswith("urn:ngsi-ld:AirQualityObserved:")
    label, shown = page.evaluate(  # in one go: each second both tell of another age
        "[document.querySelector('#map svg').getAttribute('aria-label'), document.querySelector('#picked').textContent]"
    )
    assert label == shown


def assert_usable_by_finger(window: Window) -> None:
    """Tap beside a dot of ten pixels: the one that the finger comes nearest to is meant, and none far away."""
    svg = window.page.locator("#map svg")
    svg.scroll_into_view_if_needed()
    lowest = svg.locator("circle:not(.ring)").first
    frame, dot = svg.bounding_box(), lowest.bounding_box()
    assert frame is not None
    assert dot is not None
    identity = lowest.get_attribute("data-id")
    window.page.mouse.click(dot["x"] + dot["width"] / 2 + 10, dot["y"] + dot["height"] / 2)
    assert window.text("#picked").startswith(f"{identity} ")
    window.page.mouse.click(frame["x"] + 3, frame["y"] + 3)
    assert window.text("#picked").startswith("Newest: ")


def test_the_page_asks_for_the_token(bench: WorkerBench, chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN, encoding="utf-8")
    file.chmod(0o600)
    admin = {"listen": f"{LOOPBACK}:{free_port()}", "token_file": str(file)}
    worker = bench.worker({**bench.config(), "admin": admin})
    window = open_window(chromium, worker.admin)
    page = window.page
    expect(page.locator("#token")).to_be_visible()
    expect(page.locator("#figures")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "secret"
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#refused")).to_have_text("That is not the token.")
    page.locator("#secret").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_contain_text(WELL)
    expect(page.locator("#token")).to_be_hidden()
    assert worker.stop() == 0

"""The whole examination: everything is asked at once, then judged; nothing is written anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from pipeline.build import options as wiring
from pipeline.build.feed_kinds import BrokerFacts, kind_of
from pipeline.config import Loaded
from pipeline.config.findings import Place, spell
from pipeline.config.root import Config
from pipeline.core import event_loop
from pipeline.core.errors import StartError
from pipeline.lorawan.journal import PAGES, ROWS, heard
from pipeline.publish.survey import ClusterFacts, survey
from pipeline.state.store import peek
from pipeline.tools.check import connect
from pipeline.tools.check import report as check
from pipeline.tools.check.connect import NOTHING_CAME
from pipeline.tools.doctor import certificates, devices, kafka, machine, mqtt, worker
from pipeline.tools.doctor.certificates import Certificate
from pipeline.tools.doctor.finding import SEVERITIES, Judgement, told
from pipeline.tools.doctor.worker import Scrape

_CONNECTION = "connection"
_KAFKA = ("kafka", "bootstrap_servers")


def examine(loaded: Loaded, rate: float | None) -> list[Judgement]:
    """Return every judgement, the worst first.

    Args:
        rate: Messages a second that each feed shall bring, or None.
    """
    config = loaded.config
    earlier = event_loop.run(worker.scrape(config))
    found = [*_configured(loaded), *_connected(config)]
    away = {each.place for each in found if each.check == _CONNECTION and each.severity == "critical"}
    found += event_loop.run(_measured(config, rate, earlier, away))
    found += [*machine.judge(config), *devices.judge(loaded, _counters(config))]
    placed = [_placed(loaded, each) for each in found]
    return sorted(placed, key=lambda each: (-SEVERITIES.index(each.severity), each.check))


def _configured(loaded: Loaded) -> Iterator[Judgement]:
    """Yield what `headrace check` says, without asking brokers or Kafka."""
    said = [*loaded.warnings, *check.files(loaded.config)]
    yield from (told("configuration", each) for each in said)
    if not said:
        yield Judgement("configuration", "ok", "no subscriptions overlap, every route is fed, every file can be read.")


def _connected(config: Config) -> Iterator[Judgement]:
    """Yield what `headrace check --connect` says; that nothing came in a few seconds is no fault."""
    said = connect.check(config)
    for each in said:
        finding = told(_CONNECTION, each)
        yield replace(finding, severity="info") if NOTHING_CAME in each.message else finding
    if not any(each.severity == "error" for each in said):
        yield Judgement(_CONNECTION, "ok", "brokers and Kafka take us, and every topic is there or would be made.")


async def _measured(
    config: Config, rate: float | None, earlier: Scrape | None, away: Collection[Place]
) -> list[Judgement]:
    """Measure.

    Args:
        away: Servers that have not answered, so that nothing waits for them again.
    """
    feeds = {name: feed for name, feed in config.feeds.items() if feed.session is not None}  # those with a broker
    cluster, shown, visits = await asyncio.gather(
        _nothing() if _KAFKA in away else _cluster(config),
        certificates.certificates(config),
        asyncio.gather(
            *(
                _nothing() if ("feeds", name, "url") in away else kind_of(feed).visit(name, feed)
                for name, feed in feeds.items()
            )
        ),
    )
    later = None if earlier is None else await worker.scrape(config)
    brokers = dict(zip(feeds, visits, strict=True))
    found = [*worker.judge(config, earlier, later), *_judged(config, cluster, shown, brokers)]
    confirmed = worker.latency(earlier, later)
    for name, facts in brokers.items():
        way = None if facts is None else facts.round_trip
        waits = mqtt.delay(config, confirmed, None if cluster is None else cluster.round_trip, way)
        found += mqtt.judge_window(config, name, waits, rate, "" if facts is None else facts.name)
    return found


def _judged(
    config: Config, cluster: ClusterFacts | None, shown: list[Certificate], brokers: dict[str, BrokerFacts | None]
) -> Iterator[Judgement]:
    if cluster is not None:
        yield from kafka.judge_topics(config, cluster)
        yield kafka.judge_clock(config, cluster)
    now = datetime.now(UTC)
    yield from (certificates.judge(each, now) for each in shown)
    for name, facts in brokers.items():
        yield from mqtt.judge_broker(name, facts)


async def _nothing() -> None:
    """Stand in for a server that is not asked."""


async def _cluster(config: Config) -> ClusterFacts | None:
    """Look at Kafka; that it is away was said by `check --connect`."""
    try:
        return await survey(wiring.kafka_options(config), wiring.all_topics(config))
    except StartError:
        return None


def _counters(config: Config) -> Collection[str] | None:
    folder = wiring.state_folder(config)
    rows, pages = peek(folder, ROWS), peek(folder, PAGES)
    return None if rows is None or pages is None else heard(rows, pages)


def _placed(loaded: Loaded, found: Judgement) -> Judgement:
    """Give a judgement its line, unless it is about another file; that of its section, where the key is to be added."""
    if found.file is not None or not found.place:
        return found
    line, change = found.line or loaded.document.line(found.place), found.change
    if change.startswith(f"{found.place[-1]}: ") and not loaded.document.holds(found.place):
        change = f"add below {spell(found.place[:-1])}: {change}"
    return replace(found, file=loaded.file, line=line, change=change)

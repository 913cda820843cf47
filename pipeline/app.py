"""The life of one worker: start, run, drain, stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import uvloop

from pipeline import failpoint, logs, memory, wiring
from pipeline.admin import Admin
from pipeline.config.feeds_udp import SemtechUdpFeed as UdpConfig
from pipeline.config.root import AnyFeed as FeedConfig
from pipeline.config.root import Config
from pipeline.crash_guard import Careful, CrashGuard
from pipeline.delivery import Ledger, Stage
from pipeline.devices import Devices
from pipeline.directory import Directory
from pipeline.errors import StartError
from pipeline.feeds.mqtt import MqttFeed
from pipeline.feeds.mqtt_options import Trouble
from pipeline.feeds.semtech_udp import Seen, SemtechUdpFeed
from pipeline.health import FeedHealth, Health, pages
from pipeline.logs import Log
from pipeline.loop_lag import LoopLag
from pipeline.message import Message
from pipeline.metrics import FeedMetrics, Metrics
from pipeline.notify import Systemd
from pipeline.publish import Publisher
from pipeline.reload import Reload
from pipeline.shared import Shared
from pipeline.store import Store
from pipeline.unknown_devices import UnknownDevices

_LOG = Log(__name__)
_HEALTHY_SECONDS = 60.0  # a life that lasted so long was not killed by its first messages
_LEAVE_SECONDS = 2.0  # for the last acknowledgements and goodbyes, beyond the drain


def run(
    config: Config,
    *,
    reread: Callable[[], Devices] | None = None,
    loop: Literal["uvloop", "asyncio"] = "uvloop",
) -> int:
    """Run one worker until SIGTERM or SIGINT and return the exit code.

    reread: returns the device registry as its file is now, at a SIGHUP, or raises ConfigError.

    Raises:
        StartError: Kafka, a topic, a broker or an address is not as the configuration says.
    """
    factory = uvloop.new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_live(config, reread))
    return 0


async def _live(config: Config, reread: Callable[[], Devices] | None) -> None:
    await Worker(config, reread).run()


AnyFeed = MqttFeed | SemtechUdpFeed


class Worker:
    """All the parts of one process, and the order in which they start and stop; made on the loop that it runs on."""

    def __init__(self, config: Config, reread: Callable[[], Devices] | None = None) -> None:
        self._config = config
        directory = Directory(config.registered)
        self._metrics = Metrics(_version(), [trouble.value for trouble in Trouble], [seen.value for seen in Seen])
        self._failpoint = failpoint.from_environment(os.environ)
        letters = wiring.dead_letters(config)
        self._publisher = Publisher(
            wiring.kafka_options(config), letters.refused, self._metrics.publish, self._failpoint
        )
        self._metrics.gauges = self._publisher.gauges
        state = _state_folder(config)
        self._unknown = UnknownDevices(state)
        self._systemd = Systemd()
        self._reload = Reload(reread, [directory, self._unknown], self._systemd)
        self._guard = CrashGuard(state)
        self._store = Store(state)
        self._shared = Shared(directory, self._store, self._unknown)
        self._metrics.raw, self._metrics.frames = self._shared.raw, self._shared.frames
        self._feeds: list[tuple[AnyFeed, FeedMetrics, Stage[Message]]] = []
        for name, feed in config.feeds.items():
            source, events = self._feed(name, feed, state)
            first: Stage[Message] = wiring.router(
                config,
                name,
                publisher=self._publisher,
                letters=letters,
                events=self._metrics,
                shared=self._shared,
            )
            if self._guard.careful:
                ends: dict[str, Any] = {"dead_letters": letters, "publisher": self._publisher, "events": self._metrics}
                first = Careful(name, self._guard, first, **ends)
            self._feeds.append((source, events, first))
        self._topics = wiring.all_topics(config)
        self._health = self._look_after(LoopLag())
        self._admin = Admin(pages(self._metrics.exposition, self._health), wiring.admin_token(config))
        self._stop = asyncio.Event()

    def _look_after(self, lag: LoopLag) -> Health:
        self._lag = lag
        self._metrics.lag = lag.worst
        health = Health(_version(), lag, lambda: self._publisher.trouble)
        for source, events, _ in self._feeds:
            ledger = self._metrics.ledgers[source.name]
            health.feeds[source.name] = FeedHealth(partial(getattr, events, "is_up"), ledger)
        return health

    def _feed(self, name: str, feed: FeedConfig, state: Path | None) -> tuple[AnyFeed, FeedMetrics]:
        ledger = Ledger()
        if isinstance(feed, UdpConfig):
            seen = self._metrics.datagram_feed(name, ledger, feed.max_in_flight)
            return SemtechUdpFeed(name, wiring.udp_options(feed), ledger, seen), seen
        events = self._metrics.feed(name, ledger, feed.max_in_flight)
        return MqttFeed(name, wiring.mqtt_options(name, feed, state), ledger, events, self._failpoint), events

    async def run(self) -> None:
        """Start, run until a signal, drain, stop."""
        self._listen_to_signals()
        beside = [asyncio.create_task(part) for part in (self._lag.run(), self._systemd.run(self._health))]
        try:
            if self._admin.token is not None:
                self._admin.token()
            await self._admin.start(*wiring.admin_address(self._config))
            if await self._publisher_started():
                memory.settle()
                await self._work()
        except StartError:
            self._guard.stopped()
            raise
        else:
            self._guard.stopped()  # any other error is a death: a message may have caused it, and will come again
        finally:
            await self._publisher.close(monotonic() + _LEAVE_SECONDS)
            await self._store.close()
            self._unknown.close()
            await self._admin.stop()
            for task in beside:
                task.cancel()
            self._systemd.close()

    async def _publisher_started(self) -> bool:
        """Start the publisher, unless a signal comes first: a Kafka that does not answer takes its time."""
        start = asyncio.create_task(self._publisher.start(self._topics), name="publisher start")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait([start, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            started = start.done()
            for task in (start, stop):
                task.cancel()
            await asyncio.wait([start, stop])
        if started:
            start.result()
        return started

    async def _work(self) -> None:
        running = [asyncio.create_task(feed.run(router), name=f"feed {feed.name}") for feed, _, router in self._feeds]
        parts = [(self._publisher.watch(), "publisher"), (self._store.run(), "store"), (self._reload.run(), "reload")]
        parts.append((self._unknown.run(), "unknown devices"))
        watched = [*(asyncio.create_task(part, name=name) for part, name in parts), *running]
        asyncio.get_running_loop().call_later(_HEALTHY_SECONDS, self._guard.settle)
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait([stop, *watched], return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                await self._drain()
        finally:
            for task in (stop, *watched):
                task.cancel()
            ended = await asyncio.gather(stop, *watched, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _drain(self) -> None:
        """Read no more; wait until what was read is confirmed and acknowledged, or the time is over."""
        self._health.draining = True
        self._systemd.stopping()
        deadline = monotonic() + self._config.drain_timeout
        for feed, _, _ in self._feeds:
            feed.stop_reading()
        self._failpoint("during_drain")
        for _, _, first in self._feeds:
            await first.drain(deadline)
        await self._publisher.drain(deadline)
        await self._store.write()  # for which acknowledgements wait
        await asyncio.gather(*(feed.disconnect(_LEAVE_SECONDS) for feed, _, _ in self._feeds))
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        for feed, _, _ in self._feeds:
            ledger = self._metrics.ledgers[feed.name]
            left = ledger.in_flight()
            told = {"feed": feed.name, "messages": ledger.received, "left": left}
            if not left:
                _LOG.info("All messages have their fate.", **told)
            elif feed.resends:
                _LOG.warning("Messages were not confirmed in time; their source sends them again.", **told)
            else:
                _LOG.warning("Messages were not confirmed in time and are lost, for no gateway sends twice.", **told)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal(number))
        loop.add_signal_handler(signal.SIGHUP, self._reload.ask)
        loop.add_signal_handler(signal.SIGUSR1, self._log_from, "debug")
        loop.add_signal_handler(signal.SIGUSR2, self._log_from, self._config.log.level)

    def _log_from(self, level: str) -> None:
        logs.set_level(level)
        _LOG.info("The log tells from this level on.", lowest=level)

    def _on_signal(self, number: signal.Signals) -> Callable[[], None]:
        def stop() -> None:
            if self._stop.is_set():
                _LOG.warning("A second signal: leaving at once.", signal=number.name)
                os._exit(128 + number)
            _LOG.info("Draining.", signal=number.name, seconds=self._config.drain_timeout)
            self._stop.set()

        return stop


def _state_folder(config: Config) -> Path | None:
    folder = wiring.state_folder(config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _LOG.warning("No state can be kept: set `state_dir`.", folder=folder, error=error.strerror)
        return None
    return folder


def _version() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "unknown"

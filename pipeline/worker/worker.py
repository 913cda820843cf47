"""The life of one worker: start, run, drain, stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from time import monotonic
from typing import Literal

from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.config.loading import Loaded
from pipeline.config.root import Config
from pipeline.config.rules import holds_frames
from pipeline.core import event_loop, failpoint, logs
from pipeline.core.budgets import LEAVE_SECONDS
from pipeline.core.clock import CLOCK
from pipeline.core.errors import Reason, StartError
from pipeline.core.event_loop import StopWish
from pipeline.core.logs import Log
from pipeline.core.record import Record
from pipeline.core.version import installed_version
from pipeline.devices.registry import CurrentRegistry
from pipeline.devices.silence_watch import SilenceWatch, SilentEvents, now
from pipeline.devices.unknown import UnknownDevices
from pipeline.feeds.mqtt.options import Trouble
from pipeline.feeds.semtech_udp import HeardGateways
from pipeline.http.server import AdminServer
from pipeline.observe.health import Health, LoopLag, pages
from pipeline.observe.metrics import Metrics
from pipeline.observe.page import LatestEntities, RecentDeadLetters, Sources, StatusPage, about
from pipeline.publish import Publisher
from pipeline.state.store import Store
from pipeline.worker import process
from pipeline.worker.crash_guard import CrashGuard
from pipeline.worker.feeds import FeedContext, FeedSupervisor
from pipeline.worker.process import Systemd
from pipeline.worker.reload import Reload, ReloadTargets

_LOG = Log(__name__)
_HEALTHY_SECONDS = 60.0  # a life that lasted so long was not killed by its first messages
_SILENT_SHOWN = 12


def run(loaded: Loaded, *, loop: Literal["uvloop", "asyncio"] = "uvloop") -> int:
    """Run one worker until SIGTERM or SIGINT and return the exit code.

    Raises:
        StartError: Kafka, a topic, a broker or an address is not as the configuration says.
    """
    event_loop.run(_live(loaded), loop)
    return 0


async def _live(loaded: Loaded) -> None:
    await Worker(loaded).run()


class Worker:
    """All the parts of one process, and the order in which they start and stop; made on the loop that it runs on."""

    def __init__(self, loaded: Loaded) -> None:
        self._config = config = loaded.config
        self._letters = wiring.dead_letters(config)
        self._metrics = Metrics(
            installed_version(), [trouble.value for trouble in Trouble], [seen.value for seen in HeardGateways]
        )
        self._failpoint = failpoint.from_environment(os.environ)
        self._publisher = Publisher(wiring.kafka_options(config), self._refused, self._metrics.publish, self._failpoint)
        self._metrics.gauges = self._publisher.gauges
        self._directory = directory = CurrentRegistry(config.registered)
        self._lag = LoopLag()
        self._metrics.lag = self._lag.worst
        self._health = Health(installed_version(), self._lag, lambda: self._publisher.trouble)
        self._metrics.in_force = self._health.config
        self._metrics.clock = CLOCK
        self._health.clock = lambda: CLOCK.problem
        self._admin = AdminServer(
            pages(self._metrics.exposition, self._health), wiring.admin_token(config), self._page()
        )
        self._systemd = Systemd()
        state = wiring.state_folder(config)
        self._unknown = UnknownDevices(state)
        self._guard = CrashGuard(state)
        self._metrics.store = self._store = Store(state)
        self._health.state = lambda: self._store.trouble
        self._health.holds = lambda: holds_frames(self._config)
        shared = WorkerContext(directory, self._store, self._unknown)
        shared.watch = self._metrics.silent = self._silent = SilenceWatch(self._store, state, shared.raw)
        self._silent.devices.made_room = shared.rooms.look_up_anew
        self._metrics.remembered = [*shared.rooms, self._silent.devices, self._silent.gateways]
        self._silent.events = SilentEvents(self._store, self._publisher, now)
        self._expect(config)
        self._metrics.raw, self._metrics.radio, self._metrics.frames = shared.raw, shared.radio, shared.frames
        self._metrics.costs = shared.costs
        self._metrics.slow = shared.slow
        parts = (self._publisher, self._metrics, self._health, shared, self._guard, self._failpoint, state)
        self._feeds = FeedSupervisor(config, FeedContext(*parts))
        touched = ReloadTargets(self._feeds, self._publisher, self._admin, [directory, self._unknown], self._take)
        self._reload = Reload(loaded, loaded.reread, touched, self._health.config, self._systemd)
        self._stop = asyncio.Event()
        self._stop_wish = StopWish()

    def _take(self, config: Config) -> None:
        self._config, self._letters = config, wiring.dead_letters(config)
        self._expect(config)

    def _expect(self, config: Config) -> None:
        self._silent.configure(wiring.patience(config), config.registered)
        if self._silent.events is not None:
            told = config.silent_devices.events
            self._silent.events.tell = (config.tenant, config.device_events_topic) if told else None

    def _page(self) -> StatusPage:
        newest, letters = LatestEntities(), RecentDeadLetters()
        self._publisher.seen_by(newest.note, letters.note)
        known, silent = lambda: about(self._config), lambda: self._silent.latest(_SILENT_SHOWN)
        return StatusPage(
            Sources(
                about=known,
                metrics=self._metrics,
                not_ready=self._health.diagnosis,
                letters=letters,
                newest=newest,
                silent=silent,
                remarks=self._health.remarks,
                find=self._directory.find,
            )
        )

    def _refused(self, record: Record, reason: Reason, detail: str) -> Record | None:
        letter = self._letters.refused(record, reason, detail)
        if letter is not None and record.destination.feed:
            self._metrics.dead_lettered(record.destination.feed, reason)
        return letter

    async def run(self) -> None:
        """Start, run until a signal, drain, stop."""
        self._listen_to_signals()
        beside = [asyncio.create_task(part) for part in (self._lag.run(), self._systemd.run(self._health))]
        try:
            if self._admin.token is not None:
                self._admin.token()
            await self._admin.start(*wiring.admin_address(self._config))
            if await self._publisher_started():
                process.settle()
                await self._work()
        except StartError:
            self._guard.stopped()
            raise
        else:
            self._guard.stopped()  # any other error is a death: a message may have caused it, and will come again
        finally:
            await self._publisher.close(monotonic() + LEAVE_SECONDS)
            self._silent.close()
            await self._store.close()
            self._unknown.close()
            await self._admin.stop()
            for task in beside:
                task.cancel()
            self._systemd.close()

    async def _publisher_started(self) -> bool:
        """Start the publisher, unless a signal comes first: a Kafka that does not answer takes its time."""
        start = asyncio.create_task(self._publisher.start(wiring.all_topics(self._config)), name="publisher start")
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
        parts = [(self._publisher.watch(), "publisher"), (self._store.run(), "store")]
        parts += [(self._unknown.run(), "unknown devices"), (self._silent.run(), "silent devices")]
        parts.append((self._feeds.run(), "feeds"))
        reload = asyncio.create_task(self._reload.run(), name="reload")
        watched = [reload, *(asyncio.create_task(part, name=name) for part, name in parts)]
        asyncio.get_running_loop().call_later(_HEALTHY_SECONDS, self._guard.settle)
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait([stop, *watched], return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                await self._no_more_reloads(reload)
                await self._drain()
        finally:
            for task in (stop, *watched):
                task.cancel()
            ended = await asyncio.gather(stop, *watched, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _no_more_reloads(self, reload: asyncio.Task[None]) -> None:
        """Touch nothing from now on: a feed that a reload brings would read while the others drain."""
        reload.cancel()
        await asyncio.wait([reload])
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _LOG.info, "SIGHUP: not served while draining.")

    async def _drain(self) -> None:
        """Read no more; wait until what was read is confirmed and acknowledged, or the time is over."""
        self._health.draining = True
        self._systemd.stopping()
        deadline = monotonic() + self._config.drain_timeout
        for feed in self._feeds:
            feed.source.stop_reading()
        self._failpoint("during_drain")
        for feed in self._feeds:
            await feed.first.drain(deadline)
        await self._publisher.drain(deadline)
        await self._store.write()  # for which acknowledgements wait
        await asyncio.gather(*(feed.source.disconnect(LEAVE_SECONDS) for feed in self._feeds))
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        for feed in self._feeds:
            left = feed.ledger.in_flight()
            told = {"feed": feed.source.name, "messages": feed.ledger.received, "left": left}
            if not left:
                _LOG.info("All messages have their fate.", **told)
            elif feed.source.resends:
                _LOG.warning("Messages were not confirmed in time; their source sends them again.", **told)
            else:
                _LOG.warning("Messages were not confirmed in time and are lost, for no gateway sends twice.", **told)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal(number))
        loop.add_signal_handler(signal.SIGHUP, self._reload.ask)
        loop.add_signal_handler(signal.SIGUSR1, self._log_from, "debug")
        loop.add_signal_handler(signal.SIGUSR2, lambda: self._log_from(self._config.log.level))
        signal.pthread_sigmask(
            signal.SIG_UNBLOCK, {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
        )  # `run` has blocked them

    def _log_from(self, level: str) -> None:
        logs.set_level(level)
        _LOG.info("The log tells from this level on.", lowest=level)

    def _on_signal(self, number: signal.Signals) -> Callable[[], None]:
        def stop() -> None:
            if self._stop_wish.again():
                _LOG.warning("A second signal: leaving at once.", signal=number.name)
                os._exit(128 + number)
            if not self._stop.is_set():
                _LOG.info("Draining.", signal=number.name, seconds=self._config.drain_timeout)
            self._stop.set()

        return stop

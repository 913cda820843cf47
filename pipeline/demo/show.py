"""The demo from start to summary."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from pipeline.core.delivery import Fate
from pipeline.core.errors import StartError
from pipeline.core.event_loop import StopWish
from pipeline.demo import lorawan
from pipeline.demo.city import City
from pipeline.demo.figures import Consumer, DemoTopics, scrape
from pipeline.demo.mqtt import MqttPublisher
from pipeline.demo.processes import until
from pipeline.demo.stack import Stack, require_extra
from pipeline.demo.tally import DemoWatch
from pipeline.demo.view import LineView, View, broken_devices, say

_LOOK_SECONDS: Final = 0.25
_PATIENCE: Final = 15.0


def run(seconds: float | None) -> int:
    """Show the demo for so long, or until Ctrl-C; return 0 if every message is accounted for, else 1.

    Raises:
        StartError: a part does not come up.
    """
    require_extra()
    with TemporaryDirectory(prefix="headrace-demo-") as folder:
        return asyncio.run(Demo(Path(folder), seconds).run())


class Demo:
    """One run: city, brokers, worker, consumer, view."""

    def __init__(self, folder: Path, seconds: float | None) -> None:
        self._city = City()
        self._stack = Stack(folder, self._register)
        self._seconds = seconds
        self._on_terminal = sys.stdout.isatty()
        self._stop = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def run(self) -> int:
        """Run until the end, and tidy up whatever happens."""
        self._listen_to_signals()
        try:
            return await self._run()
        except asyncio.CancelledError:
            say("Ended at once: no summary.")
            return 1
        finally:
            self._stack.kill()

    async def _run(self) -> int:
        say("Starting an MQTT broker, a Kafka-compatible broker and the worker on this machine ...")
        started = monotonic()
        config = await self._stack.start()
        say(f"All run, after {monotonic() - started:.1f} s. Broken in the city of {len(self._city.citizens)} devices:")
        say(f"{broken_devices()}\nThe status page, for a browser: http://127.0.0.1:{self._stack.admin_port}/")
        say(f"Try next, in a second terminal:\n{self._hints()}\n")
        consumer = Consumer(self._stack.bootstrap, DemoTopics.of(config))
        publisher = await MqttPublisher.connect(self._stack.mqtt_port, "headrace-demo-city")
        watch = DemoWatch(self._city, publisher, consumer)
        async with AsyncExitStack() as after:
            self._following = asyncio.create_task(consumer.follow(), name="the consumer")
            after.push_async_callback(_end, self._following)
            after.push_async_callback(publisher.close)
            await self._show(watch, publisher)
            return await self._sum_up(watch, publisher, consumer)

    async def _show(self, watch: DemoWatch, publisher: MqttPublisher) -> None:
        ends = float("inf") if self._seconds is None else monotonic() + self._seconds
        living = asyncio.create_task(self._city.live(publisher, self._stop), name="the city")
        try:
            with self._view() as view:
                while monotonic() < ends and not self._stop.is_set():
                    await self._look(watch)
                    view.show(watch.moment())
                    self._see_that_all_run(living)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(min(_LOOK_SECONDS, max(0.0, ends - monotonic()))):
                            await self._stop.wait()
        finally:
            self._stop.set()
            await living

    async def _sum_up(self, watch: DemoWatch, publisher: MqttPublisher, consumer: Consumer) -> int:
        say("The city stops; what is under way is waited for, the worker drains.")
        await publisher.flush(_PATIENCE)

        async def settled() -> bool:
            await self._look(watch)
            worker = watch.tally().worker
            return worker.received >= publisher.confirmed and not worker.in_flight

        await until(settled, _PATIENCE)
        code = await self._stack.stop_worker()
        fates = self._city.books.fates
        if not self._consumer_trouble():
            await consumer.caught_up(fates[Fate.PUBLISHED] + fates[Fate.DEAD_LETTERED], _PATIENCE)
        tally = watch.tally(code)
        say(f"\n{tally.text(watch.latency(0.5), watch.latency(0.99))}")
        return 0 if tally.conserved and publisher.confirmed == publisher.sent else 1

    def _register(self, file: Path) -> None:
        lorawan.write(file, ((each.device, each.node) for each in self._city.citizens))

    async def _look(self, watch: DemoWatch) -> None:
        figures = await scrape(self._stack.admin_port)
        if figures is not None:
            watch.learn(figures)
        watch.trouble = [*await self._stack.trouble(), *self._consumer_trouble()]

    def _consumer_trouble(self) -> list[str]:
        # A consumer that fails does not end the demo: the summary tells what it could not read.
        task = self._following
        if task is None or not task.done() or task.cancelled():
            return []
        return [f"The consumer has ended: {task.exception()}"]

    def _see_that_all_run(self, living: asyncio.Task[None]) -> None:
        # SIGHUP goes to the terminal's first process only, which may be a `make` that waits for us.
        if self._on_terminal and not sys.stdout.isatty():
            raise StartError("The terminal was closed.")
        worker = self._stack.worker
        if worker is not None and worker.exit_code is not None:
            raise StartError(f"The worker ended by itself. The end of its log:\n{worker.tail()}")
        if living.done() and not self._stop.is_set():
            living.result()

    def _view(self) -> View:
        if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
            return LineView()
        from pipeline.demo.screen import Screen  # noqa: PLC0415 - rich is for terminals only

        return Screen(self._hints(), self._seconds)

    def _hints(self) -> str:
        file, port = self._stack.file, self._stack.admin_port
        device = next(each.device for each in self._city.citizens if each.device.kind.name == "noise-meter")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        reading = f'{{"t":"{now}","lat":51.05,"lon":3.72,"laeq":54.2}}'
        called = Path(sys.argv[0])
        headrace = called if called.name == "headrace" else "headrace"
        lines = [
            ("check", f"{headrace} check {file}"),
            ("explain", f"{headrace} explain {file} --topic {device.topic} --payload '{reading}'"),
            ("tail", f"{headrace} tail demo.dead-letter.v1 {file} --dead-letters"),
            ("tail", f"{headrace} tail demo.device-events.v1 {file}"),
            ("devices", f"{headrace} devices unknown {file}"),
            ("run", f"a browser: http://127.0.0.1:{port}/"),
            ("run", f"curl http://127.0.0.1:{port}/metrics"),
        ]
        return "\n".join(f"  {line}" for command, line in lines if find_spec(f"pipeline.cli.commands.{command}"))

    def _listen_to_signals(self) -> None:
        task = asyncio.current_task()
        wish = StopWish()

        def stop() -> None:
            if wish.again() and task is not None:
                task.cancel()
            self._stop.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        if task is not None:  # the terminal is closed: a summary would have no reader
            loop.add_signal_handler(signal.SIGHUP, task.cancel)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

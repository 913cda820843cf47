"""B12: a broker closes the connection on a SUBSCRIBE of more than eight filters, as AWS IoT Core does."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.hostile.experiment import Experiment
from tests.integration.worker_bench import WorkerBench, fates, reading, until
from tests.pipeline.feeds.scripted_broker import SUBSCRIBE, Peer
from tests.support.generator import remaining_length
from tests.support.headrace import Headrace
from tests.support.ports import LOOPBACK

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
SITES = 12


class Proxy:
    """Stands before a real broker and counts the filters of each SUBSCRIBE; of too many it closes both ends."""

    def __init__(self, port: int, marker: bytes) -> None:
        self.port, self.sizes = 0, list[int]()
        self._behind, self._marker = port, marker
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._talk, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        with suppress(asyncio.CancelledError):
            await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(LOOPBACK, self._behind)
        back = asyncio.create_task(self._copy(inner, writer))
        client = Peer(reader, writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError):
            while True:
                kind, body = await client.packet(60)
                if kind == SUBSCRIBE:
                    self.sizes.append(body.count(self._marker))
                    if self.sizes[-1] > 8:
                        break
                outer.write(bytes((kind,)) + remaining_length(len(body)) + body)
        back.cancel()
        outer.close()
        await client.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                writer.write(data)

    @contextmanager
    def running(self) -> Iterator[None]:
        task = self._loop.create_task(self._serve())
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(task))
        thread.start()
        assert self._listens.wait(10)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(task.cancel)
            thread.join(10)
            for left in asyncio.all_tasks(self._loop):
                left.cancel()
            self._loop.run_until_complete(asyncio.sleep(0.05))
            self._loop.close()


def config(bench: WorkerBench, proxy: Proxy, **feed: Any) -> dict[str, Any]:
    filters = [f"{bench.tenant}/site{number}/#" for number in range(SITES)]
    routes = [{"topic": f"{bench.tenant}/{{site}}/{{device}}", "connector": "city-aq"}]
    return bench.config(feed={"url": f"mqtt://{LOOPBACK}:{proxy.port}", "subscribe": filters, "routes": routes, **feed})


def test_twelve_filters_where_eight_are_taken(bench: WorkerBench, new_headrace: Callable[..., Headrace]) -> None:
    proxy = Proxy(bench.mosquitto.port, b"/site")
    with Experiment("more filters than a SUBSCRIBE may hold") as experiment, proxy.running():
        worker = bench.worker(config(bench, proxy))
        bench.publish_on([(f"{bench.tenant}/site{number}/1", reading(number)) for number in range(SITES)])
        metrics = bench.settled(worker, SITES)
        experiment.expect(
            "each filter brings its messages", came=fates(metrics), holds=fates(metrics) == {"published": SITES}
        )
        experiment.expect("one SUBSCRIBE shows the limit", came=proxy.sizes, holds=proxy.sizes == [12, 8, 4])
        assert worker.stop() == 0
        log = worker.process.tail()
        cause = "right after SUBSCRIBE of 12 filters"
        experiment.expect("the log names the cause", came=cause in log, holds=cause in log)
        said = "forgotten the session"
        experiment.expect("and does not blame the session", came=said in log, holds=said not in log)

        stubborn = new_headrace({**config(bench, proxy, max_filters_per_subscribe=12), "state_dir": "other"})
        stubborn.start(wait=False)
        until(lambda: "3 times in a row" in problem(stubborn), "the cause of a repeated close", timeout=30)
        told = problem(stubborn)
        experiment.expect(
            "where the configuration forbids to try fewer, health says what to write",
            came=told,
            holds=cause in told and "max_filters_per_subscribe" in told,
        )


def problem(worker: Headrace) -> str:
    """Return why a feed has no connection, as `/healthz?verbose` says it."""
    try:
        urllib.request.urlopen(f"{worker.admin}/healthz?verbose", timeout=15).close()
    except urllib.error.HTTPError as failing:
        with failing:
            return str(json.loads(failing.read())["feeds"]["city"]["problem"])
    except OSError:
        pass
    return ""

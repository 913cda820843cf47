"""What every run stands on: one real Mosquitto, one real Kafka, and for each run a place that is new to both."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from loadtests import session
from loadtests.contenders import Contender, Place
from loadtests.measured import Measured
from loadtests.records import Records
from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port

PROBE_TIMEOUT = 60.0
POLL_SECONDS = 0.05


class StalledError(RuntimeError):
    """A contender ended or stood still before its work was done; carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Options:
    window: int = 5000
    linger_ms: int = 10
    max_inflight: int = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """How soon after the start of the process records came, and how many a second from then on."""

    first_s: float
    rate: float


class Rig:
    def __init__(self, where: Path, options: Options) -> None:
        # A folder of its own each time: a Kafka that finds an old one would come up on the ports of then.
        folder = Path(tempfile.mkdtemp(prefix="rig-", dir=where))
        self.folder, self.options = folder, options
        # Not durable: saving on each change writes the whole backlog to the disk anew, so that 20,000 waiting messages
        # take minutes. Sessions survive a client's absence all the same, and no run restarts the broker.
        self.mosquitto = Mosquitto(folder / "mosquitto", durable=False, max_inflight_messages=options.max_inflight)
        # A JVM as in production: with its optimising compiler, and a heap that does not make it collect all the time.
        settings = {"log.segment.delete.delay.ms": "1000", "log.retention.check.interval.ms": "5000"}
        self.kafka = Kafka(folder / "kafka", settings=settings, heap_mib=1024, jvm_options=())
        self.records = Records(self.kafka.ports["PLAINTEXT"])
        # Not fixed: what a network tells of the time is believed for 30 days.
        self.base_ts = (int(time.time()) - 3600) * 1000
        self._places = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(self.mosquitto)
            stack.enter_context(self.kafka)
            await stack.enter_async_context(self.records)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def place(self, contender: Contender, case: str) -> AsyncIterator[Place]:
        """Make a topic and a session that nobody used before; from here on messages wait for the contender."""
        self._places += 1
        tenant = f"bench-{self._places}-{contender.name}-{case}"
        folder = self.folder / "runs" / tenant
        folder.mkdir(parents=True)
        ports = (self.mosquitto.port, self.kafka.ports["PLAINTEXT"], free_port())
        place = Place(tenant, folder, *ports, self.options.window, self.options.linger_ms)
        await self.records.create(place.topic)
        session.register(self.mosquitto.url, place.client_id, contender.filter)
        try:
            yield place
        finally:
            session.forget(self.mosquitto.url, place.client_id)
            await self.records.delete(place.topic)

    def start(self, contender: Contender, place: Place, extra: Mapping[str, str] | None = None) -> Measured:
        command = contender.prepare(place)
        return Measured(command.arguments, place.folder / f"{contender.name}.log", {**command.env, **(extra or {})})

    async def publish(self, contender: Contender, first: int, count: int, rate: float | None = None) -> dict[str, Any]:
        """Publish from a process of its own, so that the generator's cycles are nobody else's."""
        command = ["-m", "tests.support.generator", "--port", str(self.mosquitto.port), "--slices"]
        command += ["--kind", contender.kind, "--base-ts", str(self.base_ts)]
        # The generator counts what it publishes, this what comes of it.
        command += ["--first", str(first * contender.copies), "--count", str(count * contender.copies)]
        command += ["--rate", str(rate)] if rate else []
        generator = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        output, _ = await generator.communicate()
        if generator.returncode != 0:
            raise RuntimeError(f"the generator ended with {generator.returncode}")
        summary: dict[str, Any] = json.loads(output)
        return summary

    async def wait_for(self, running: Measured, place: Place, count: int, patience: float) -> Arrival:
        """Return once the topic holds `count` records."""
        deadline, first = time.monotonic() + patience, (0, 0.0)
        async with self.records.counting(place.topic) as counted:
            while True:
                held, now = await counted(), time.monotonic()
                first = first if first[0] else (held, now)
                if held >= count:
                    return Arrival(first[1] - running.started, (held - first[0]) / max(now - first[1], 1e-9))
                if now > deadline or not running.running():
                    what = "stood still" if running.running() else "ended"
                    raise StalledError(f"{place.tenant} {what} with {held} of {count} records:\n{running.tail()}")
                await asyncio.sleep(POLL_SECONDS)

    async def ready(self, contender: Contender, running: Measured, place: Place, probe: int) -> None:
        """One message through the whole way says more than any port that answers."""
        await self.publish(contender, probe, 1)
        await self.wait_for(running, place, 1, PROBE_TIMEOUT)

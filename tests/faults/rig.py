"""One worker between a Mosquitto and a Kafka, the load on it, and all that its verdict needs."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.faults.fence import FENCE
from tests.faults.load import Load
from tests.support.checker import Key, Life, Verdict, count
from tests.support.headrace import Headrace, example_config
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.prometheus import get

KILLED = -9
LOOK_SECONDS = 0.05


class Rig:
    """The worker has lives; the last metrics of each are kept, and each death allows another window of duplicates."""

    def __init__(self, folder: Path, tenant: str, mosquitto: Mosquitto, kafka: Kafka, **feed: Any) -> None:
        self.tenant, self.mosquitto, self.kafka = tenant, mosquitto, kafka
        self.client = KafkaClient(kafka.bootstrap())
        config = example_config(tenant, mosquitto.url, kafka.bootstrap(), prefix=tenant)
        config["state_dir"] = str(folder / "state")
        config["feeds"]["city"] |= feed
        self.config = config
        self.worker = Headrace(folder / "worker", config)
        self.load = Load(mosquitto.url, prefix=f"{tenant}/aq")
        self.faults: list[str] = []
        self.lives: list[Life] = []
        self.deaths = 0  # after which the source sends again what was not acknowledged
        self.notes: dict[str, Any] = {}
        self._began = time.monotonic()

    @property
    def window(self) -> int:
        return int(self.config["feeds"]["city"]["max_in_flight"])

    @property
    def topic(self) -> str:
        return f"{self.tenant}.AirQualityObserved.v1"

    @property
    def dead_letters(self) -> str:
        return f"{self.tenant}.dead-letter.v1"

    def start(self) -> None:
        """Start worker and load, and see the first records in Kafka: the session is there before a fault is."""
        self.worker.start(timeout=180)
        self.load.start()
        self.wait(lambda: self.published() > 0, "the first record")

    def arm(self, failpoint: str) -> None:
        """Let the next life kill itself there; an empty name arms nothing."""
        self.worker.process.env["HEADRACE_FAILPOINT"] = failpoint

    def kill_worker(self) -> None:
        life = self.life()
        assert self.worker.kill() == KILLED, self.worker.process.tail()
        self.fault(f"worker SIGKILL with {life.in_flight} in flight", life)

    def fault(self, what: str, life: Life | None = None) -> None:
        """Note a fault after which messages are sent again; with it, the last that its life said."""
        self.faults.append(f"after {self.load.acknowledged}: {what}")
        self.deaths += 1
        self.lives += [life] if life is not None else []

    def wait_death(self, timeout: float = 90.0) -> Life | None:
        """Wait for a worker that kills itself at its failpoint; its last metrics, if it lived long enough for any."""
        life, deadline = None, time.monotonic() + timeout
        while self.worker.process.running:
            if time.monotonic() > deadline:
                raise AssertionError(f"the failpoint was not hit:\n{self.worker.process.tail()}")
            life = self.life_or_none() or life
            time.sleep(LOOK_SECONDS)
        return life

    def stop_worker(self) -> int:
        """SIGTERM in good order; the metrics of this life are those before it."""
        self.lives.append(self.life())
        return self.worker.stop()

    def life(self) -> Life:
        return Life.of(self.worker.exposition())

    def life_or_none(self) -> Life | None:
        """Scrape a worker that may not listen yet, or not any more."""
        text = get(f"{self.worker.admin}/metrics", timeout=0.5)
        return None if text is None else Life.of(text)

    def published(self) -> int:
        return self.life().fates.get("published", 0)

    def wait(self, what_for: Callable[[], bool], what: str, timeout: float = 180.0) -> None:
        self.worker.process.wait_until(what_for, timeout, what=f"at {what}")

    def settle(self, timeout: float = 270.0) -> None:
        """Wait until the session is drained: all is in Kafka, nothing is unacknowledged and nothing comes any more."""
        deadline = time.monotonic() + timeout
        before: Life | None = None
        while time.monotonic() < deadline:
            life = self.life()
            if life == before and not life.in_flight and self.client.count(self.topic) >= self.load.acknowledged:
                return
            before = life
            time.sleep(10 * LOOK_SECONDS)

    def finish(self, name: str, *, duplicates_allowed: int | None = None) -> Verdict:
        """Stop the load, let everything arrive, end the worker in good order, and judge what Kafka holds."""
        self.load.stop()
        self.settle()
        assert self.stop_worker() == 0, self.worker.process.tail()
        return self.judge(name, duplicates_allowed=duplicates_allowed)

    def judge(
        self, name: str, *, duplicates_allowed: int | None = None, sent: Iterable[Key] | None = None, topic: str = ""
    ) -> Verdict:
        """Write and return the verdict, on the load unless something else was sent; it is the caller's to assert."""
        allowed = self.window * self.deaths + self.load.resent if duplicates_allowed is None else duplicates_allowed
        notes = {
            "seconds": round(time.monotonic() - self._began, 1),
            "deaths": self.deaths,
            "resent": self.load.resent,
            **self.notes,
        }
        records = [record for record in self.client.consume_all(topic or self.topic) if record.key != FENCE]
        counts = count(self.load.keys() if sent is None else sent, records)
        dead = self.client.count(self.dead_letters)
        verdict = Verdict(name, counts, self.faults, self.lives, dead, allowed, notes=notes)
        verdict.write()
        return verdict

    def close(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        if self.worker.process.running:
            self.worker.kill()
        self.load.abandon()

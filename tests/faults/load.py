"""Steady publishing in a thread, until told to stop; faults are timed by its progress, not by the clock."""

import threading
import time
from collections.abc import Iterator

from tests.support.generator import SLICE_SECONDS, Publisher, Readings

WINDOW = 20_000


class Load:
    """Publishes `rate` messages a second at QoS 1 and knows how many of them the broker has acknowledged."""

    def __init__(
        self, url: str, *, rate: float = 2500.0, devices: int = 200, prefix: str = "city/aq", patience: float = 30.0
    ) -> None:
        self.readings = Readings(devices=devices, prefix=prefix)
        self.rate = rate
        self.resent = 0
        self._url, self._patience = url, patience
        self._publisher: Publisher | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._ending = threading.Event()
        self._paused = threading.Event()
        self._quiet = threading.Event()
        self._error: Exception | None = None

    @property
    def acknowledged(self) -> int:
        return 0 if self._publisher is None else self._publisher.acknowledged

    def keys(self) -> Iterator[tuple[str, int]]:
        """List what the broker has acknowledged, in the order of sending."""
        return map(self.readings.key, range(self.acknowledged))

    def start(self) -> None:
        self._publisher = Publisher(
            self._url, self.readings, first=0, client_id="headrace-load", patience=self._patience
        )
        self._thread.start()

    def wait_for(self, more: int, timeout: float = 180.0) -> None:
        """Wait until the broker has acknowledged so many messages more."""
        end, deadline = self.acknowledged + more, time.monotonic() + timeout
        while self.acknowledged < end:
            self._check(deadline, f"{more} more acknowledgements")
            time.sleep(SLICE_SECONDS)

    def pause(self, timeout: float = 180.0) -> None:
        """Publish nothing more until `resume`, and wait until all that was published is acknowledged."""
        self._quiet.clear()
        self._paused.set()
        deadline = time.monotonic() + timeout
        while not self._quiet.wait(SLICE_SECONDS):
            self._check(deadline, "the last acknowledgements")

    def resume(self) -> None:
        self._paused.clear()

    def stop(self, timeout: float = 180.0) -> None:
        """End; what was published is acknowledged afterwards."""
        if self._error is None and self._thread.is_alive():
            self.pause(timeout)
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def abandon(self) -> None:
        """End without waiting for acknowledgements: the broker may be gone."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(self._patience)

    def _check(self, deadline: float, what: str) -> None:
        if self._error is not None:
            raise AssertionError("the load ended by itself") from self._error
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain for {what}")

    def _run(self) -> None:
        publisher = self._publisher
        if publisher is None:
            return
        try:
            self._publish(publisher)
        except Exception as error:  # noqa: BLE001
            self._error = error
        finally:
            self.resent = publisher.resent
            publisher.close()

    def _publish(self, publisher: Publisher) -> None:
        last, owed = time.monotonic(), 0.0
        while not self._ending.is_set():
            now = time.monotonic()
            owed = 0.0 if self._paused.is_set() else owed + self.rate * (now - last)
            last = now
            room = min(int(owed), WINDOW - (publisher.sent - publisher.acknowledged))
            if room > 0:
                publisher.send(room)
                owed -= room
            if self._paused.is_set() and publisher.sent == publisher.acknowledged:
                self._quiet.set()
            self._read(publisher, now + SLICE_SECONDS)

    def _read(self, publisher: Publisher, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            if publisher.sent == publisher.acknowledged:
                time.sleep(left)
                return
            publisher.read(left)

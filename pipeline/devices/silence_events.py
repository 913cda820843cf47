"""Who fell silent and who spoke again, told to those who read Kafka: `silent_devices: {events: true}`.

No message brings them, so nobody would send them again: what is not confirmed yet is kept in the store, and goes out
again after a restart, under the same `ce_id`. A city that falls silent at once fills nothing: some go, and the next
only when Kafka has those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import orjson

from pipeline.core import times
from pipeline.core.delivery import Batch, Lane, Stage
from pipeline.core.message import Message
from pipeline.core.record import Record
from pipeline.devices.silent_device import SilentDevice
from pipeline.encode.device_event import About, event_record
from pipeline.state.store import Store

_TABLE = "silent-event"
_AT_ONCE = 500
SILENT, BACK = "silent", "back"


class SilentEvents:
    """For use on the event loop's thread. tell: whose events go to which topic, as (tenant, topic); None: nobody's.

    clock: milliseconds since 1970 UTC.
    """

    def __init__(self, store: Store, publisher: Stage[Record], clock: Callable[[], int]) -> None:
        self.tell: tuple[str, str] | None = None
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._waiting: dict[str, bytes] = dict(store.items(_TABLE))
        self._lane: Lane[Sequence[tuple[str, bytes]]] = Lane(self._confirmed, 2 * _AT_ONCE)

    def note(self, who: SilentDevice, key: str, *, back: bool) -> None:
        """Take note of one that is silent from now on, or of one that is back; the last word of each goes out.

        key: as in entity ids.
        """
        if self.tell is None:
            return
        kind, happened, since = (BACK, who.last, who.last) if back else (SILENT, self._clock(), who.since)
        gateway = who.name if who.kind == "gateway" else None
        told = orjson.dumps([kind, key, since, happened, gateway, who.last, who.interval, who.known])
        kept = bytes(memoryview(told))  # a copy of its own size: what orjson returns occupies 4 KiB
        place = f"{who.kind}:{who.name}"
        self._waiting.pop(place, None)
        self._waiting[place] = kept
        self._store.put(_TABLE, place, kept)

    def send(self) -> None:
        """Hand some of what waits to the publisher, unless it still has some."""
        if self.tell is None or not self._waiting or self._lane.in_flight():
            return
        some = list(islice(self._waiting.items(), _AT_ONCE))
        records = [record for _, kept in some if (record := self._record(kept, *self.tell)) is not None]
        if records:
            self._publisher.put(Batch(self._lane.receive(len(records), some), records))
        else:
            self._confirmed([some])

    def _record(self, kept: bytes, tenant: str, topic: str) -> Record | None:
        """Return what is told; None of what was damaged, or kept by another version."""
        try:
            kind, key, since, happened, gateway, last, interval, known = orjson.loads(kept)
            about = About(tenant, topic, "", str(kind), str(key), int(happened))
            moment = times.text(about.observed).decode()
            heard = times.text(int(last)).decode() if last else None
        except (ValueError, TypeError, OverflowError):
            return None
        value = {
            "event": kind,
            "subject": about.subject,
            "time": moment,
            **({} if gateway is None else {"gateway": gateway}),
            "details": {"lastHeard": heard, "expectedEvery": interval, "expectedBy": known},
        }
        text = orjson.dumps(value)
        return event_record(about, text, str(since), Message(f"headrace/{kind}/{key}", text, self._clock()))

    def _confirmed(self, batches: Sequence[Sequence[tuple[str, bytes]]]) -> None:
        for batch in batches:
            for place, kept in batch:
                if self._waiting.get(place) == kept:  # otherwise something newer waits
                    del self._waiting[place]
                    self._store.delete(_TABLE, place)

"""Whatever comes late, twice, over two connections or before a crash: nothing is lost, and no replay accepted."""

from collections.abc import Container, Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.core.delivery import Lane
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.lorawan import journal
from pipeline.lorawan.frame_counter import Counter
from pipeline.lorawan.journal import ROWS, Journal
from pipeline.lorawan.session_table import place_of
from pipeline.sdk.dialect import Frame
from pipeline.sdk.uplink import Uplink
from tests.pipeline.lorawan.rig import WINDOW, Clock, Feed, File, Worker, heard
from tests.support.lorawan import data_up, session

KEYS = session("01ab23cd", 1)
DEVICE = Device("th-17", dev_eui="0011223344556677", sessions=(KEYS,))
FREQUENCIES = (868_100_000, 868_300_000)
LANES = 3  # two connections of one feed, and another feed

Sent = tuple[int, Frame]


def text(f_cnt: int) -> bytes:
    return b"reading %d" % f_cnt


def remembered(written: dict[tuple[str, str], bytes]) -> Container[int]:
    """Return what another life would know."""
    file = File(written)
    Journal(file)
    return Counter(place_of(KEYS), file.get(ROWS, place_of(KEYS))).accepted


class Broker:
    """One connection's session at a broker: what was not acknowledged comes again on the next."""

    def __init__(self) -> None:
        self.queued: list[Sent] = []
        self.unacknowledged: list[Sent] = []
        self.lane: Lane[list[Sent]] | None = None

    def lost(self) -> None:
        self.queued = self.unacknowledged + self.queued
        self.unacknowledged = []
        if self.lane is not None:
            self.lane.close()
        self.lane = None


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.small = pytest.MonkeyPatch()  # so that pages turn and go within few frames
        self.small.setattr(journal, "_MOST", 6)
        self.small.setattr(journal, "_PAGE", 3)
        self.clock = Clock()
        self.clock.__enter__()
        self.brokers = [Broker() for _ in range(LANES)]
        self.next_f_cnt = 65_530  # it rolls over on the way
        self.on_air: list[bytes] = []
        self.published: dict[int, int] = {}  # by counter: how often, over all lives
        self.reached: set[int] = set()  # what Kafka holds, whether the worker knew or not
        self.lives = 1
        self.worker = self._worker(File(late=True))

    def _worker(self, file: File) -> Worker:
        return Worker([DEVICE], file, late=True, feeds=2)

    def _feed(self, lane: int) -> Feed:
        return self.worker.feeds[lane == LANES - 1]

    def _acknowledged(self, broker: Broker, tokens: Sequence[list[Sent]]) -> None:
        kept = remembered(self.worker.file.written)
        for sent in tokens:
            for each in sent:
                broker.unacknowledged.remove(each)
                assert each[0] in self.reached, "acknowledged before its record was confirmed"
                assert each[0] in kept, "acknowledged before its counter was in the file"

    @rule(copies=st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(1, 4)), min_size=1, max_size=4))
    def device_sends(self, copies: list[tuple[int, int]]) -> None:
        phy = data_up(KEYS, self.next_f_cnt, text(self.next_f_cnt))
        self.on_air.append(phy)
        self._catch(len(self.on_air) - 1, 0, copies)
        self.next_f_cnt += 1

    @rule(
        back=st.integers(1, 6),
        frequency=st.integers(0, 1),
        copies=st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(1, 4)), min_size=1, max_size=3),
    )
    def comes_again(self, back: int, frequency: int, copies: list[tuple[int, int]]) -> None:
        """Hear a late copy, a retransmission, or somebody who recorded the frame."""
        if back <= len(self.on_air):
            self._catch(len(self.on_air) - back, frequency, copies)

    def _catch(self, index: int, frequency: int, copies: list[tuple[int, int]]) -> None:
        for lane, gateway in copies:
            frame = heard(self.on_air[index], gateway, FREQUENCIES[frequency])
            self.brokers[lane].queued.append((65_530 + index, frame))

    @rule(lane=st.integers(0, LANES - 1), count=st.integers(1, 5))
    def delivers(self, lane: int, count: int) -> None:
        broker, feed = self.brokers[lane], self._feed(lane)
        sent, broker.queued = broker.queued[:count], broker.queued[count:]
        if sent:
            if broker.lane is None:
                broker.lane = Lane(lambda tokens: self._acknowledged(broker, tokens), 1000, ledger=feed.ledger)
            broker.unacknowledged += sent
            feed.lane = broker.lane  # type: ignore[assignment] # its tokens are of one type only
            feed.hear(*(frame for _, frame in sent), token=sent)

    @rule(seconds=st.sampled_from([0.01, WINDOW / 2, WINDOW * 2, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(at=st.integers(0, 5))
    def kafka_confirms(self, at: int) -> None:
        waiting = self.worker.uplinks.waiting
        if at < len(waiting):
            self._arrived(waiting[at][1])
            self.worker.uplinks.confirm(at)

    def _arrived(self, items: list[Any]) -> None:
        for uplink, _ in items:
            assert isinstance(uplink, Uplink)
            assert uplink.f_cnt is not None
            assert uplink.payload == text(uplink.f_cnt)
            self.published[uplink.f_cnt] = self.published.get(uplink.f_cnt, 0) + 1
            self.reached.add(uplink.f_cnt)

    @rule()
    def file_is_written(self) -> None:
        self.worker.file.write()

    @rule(times=st.integers(1, 2))
    def registry_is_without_the_device_for_a_moment(self, times: int) -> None:
        for _ in range(times):
            self.worker.directory.take(DeviceRegistry([]))
        self.worker.directory.take(DeviceRegistry([DEVICE]))

    @rule(lane=st.integers(0, LANES - 1))
    def connection_is_lost(self, lane: int) -> None:
        self.brokers[lane].lost()

    @rule(reached=st.booleans())
    def worker_is_killed(self, reached: bool) -> None:
        if reached:
            for _, items in self.worker.uplinks.waiting:
                self._arrived(items)  # Kafka has it, and nobody learned of it
        for broker in self.brokers:
            broker.lost()
        self.clock.alarms.clear()
        self.lives += 1
        self.worker = self._worker(File(self.worker.file.written, late=True))

    @invariant()
    def every_message_is_accounted_for(self) -> None:
        assert all(feed.ledger.conserved() for feed in self.worker.feeds)
        assert self.worker.letters.waiting == [], "nothing of this is refused"

    @invariant()
    def no_replay_is_accepted(self) -> None:
        """See that a record is made once in each life at most: a restart may repeat what it knows, nothing else may."""
        accepted = [uplink.f_cnt for uplink in self.worker.uplinks.uplinks()]
        accepted += [uplink.f_cnt for _, items in self.worker.uplinks.waiting for uplink, _ in items]
        assert len(accepted) == len(set(accepted))
        assert all(times <= self.lives for times in self.published.values())

    def teardown(self) -> None:
        try:
            self._finish()
        finally:
            self.clock.__exit__()
            self.small.undo()

    def _finish(self) -> None:
        for _ in range(3):
            for lane in range(LANES):
                self.delivers(lane, 1000)
            self.clock.advance(10)
            while self.worker.uplinks.waiting:
                self.kafka_confirms(0)
            self.worker.file.write()
        assert not any(broker.queued or broker.unacknowledged for broker in self.brokers)
        for feed in self.worker.feeds:
            assert feed.ledger.in_flight() == feed.dedupe.pending() == feed.sessions.pending() == 0
        everything = set(range(65_530, self.next_f_cnt))
        assert self.reached == everything == set(self.published)
        self.no_replay_is_accepted()
        self.every_message_is_accounted_for()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=50)

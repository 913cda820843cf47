"""From copies of raw frames to uplinks: who sent it, is it new, and when may it be acknowledged."""

import asyncio
import struct
from collections.abc import Iterator

import pytest

from pipeline.config.feeds import FramePolicyConfig
from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason
from pipeline.devices.registry import Device
from pipeline.lorawan.frame_counter import REMEMBERED, meanings
from pipeline.lorawan.journal import ROWS
from pipeline.lorawan.session_table import place_of
from pipeline.lorawan.statistics import FrameOutcome
from pipeline.sdk.uplink import Reception
from tests.pipeline.lorawan.rig import WINDOW, Clock, File, Worker, heard
from tests.support.lorawan import data_up, join_request, session

EUI = "0011223344556677"
KEYS = session("01ab23cd", 1)
DEVICE = Device("th-17", dev_eui=EUI, sessions=(KEYS,))
TWIN = session("01ab23cd", 2)
TWIN_DEVICE = Device("th-18", sessions=(TWIN,))
OTHER_FREQUENCY = 868_300_000


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock() as made:
        yield made


def up(worker: Worker, clock: Clock, *f_cnts: int) -> None:
    for f_cnt in f_cnts:
        worker.feeds[0].hear(heard(data_up(KEYS, f_cnt, b"t%d" % f_cnt)), token=f_cnt)
        clock.advance(WINDOW * 2)


def counts(worker: Worker, number: int = 0) -> dict[FrameOutcome, int]:
    return {outcome: n for outcome, n in worker.feeds[number].raw.outcomes.items() if n}


def test_two_gateways_one_uplink(clock: Clock) -> None:
    worker = Worker([DEVICE])
    phy = data_up(KEYS, 7, b"\xff\xce\x37", port=2)
    worker.feeds[0].hear(heard(phy, 1), token="first")
    worker.feeds[0].hear(heard(phy, 2, gps=1_700_000_000_123), token="second")
    assert worker.uplinks.confirmed == []
    clock.advance(WINDOW * 2)
    [uplink] = worker.uplinks.uplinks()
    assert (uplink.device, uplink.dev_addr, uplink.f_cnt) == (EUI, "01ab23cd", 7)
    assert (uplink.payload, uplink.port, uplink.raw) == (b"\xff\xce\x37", 2, True)
    assert uplink.time == 1_700_000_000_123
    assert uplink.receptions() == (
        Reception("0000000000000001", -81.0, 5.5),
        Reception("0000000000000002", -82.0, 5.5, 1_700_000_000_123, gps=True),
    )
    assert worker.feeds[0].acknowledged == ["first", "second"]
    assert worker.feeds[0].ledger.fates[Fate.PUBLISHED] == worker.feeds[0].ledger.fates[Fate.DEDUPLICATED] == 1
    assert counts(worker) == {FrameOutcome.UPLINK: 1, FrameOutcome.COPY: 1}
    assert worker.feeds[0].raw.gateways == {"0000000000000001": 1, "0000000000000002": 1}


def test_frames_wait_while_their_counters_cannot_be_kept(clock: Clock) -> None:
    worker = Worker([DEVICE], policy=FramePolicyConfig(unkept="hold"))
    feed = worker.feeds[0]
    up(worker, clock, 1)
    worker.file.trouble = "The disk is full."
    up(worker, clock, 2, 3)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [1]
    assert (feed.acknowledged, feed.sessions.pending()) == ([1], 2)
    worker.file.trouble = ""
    worker.file.write()
    up(worker, clock, 4)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [1, 2, 3, 4]
    assert (feed.acknowledged, feed.sessions.pending()) == ([1, 2, 3, 4], 0)
    assert feed.ledger.conserved()


def test_a_frame_that_is_confirmed_while_the_disk_fails_is_not_acknowledged(clock: Clock) -> None:
    worker = Worker([DEVICE], policy=FramePolicyConfig(unkept="hold"), late=True)
    up(worker, clock, 1)
    worker.file.trouble = "The disk is full."
    worker.uplinks.confirm()
    assert worker.feeds[0].acknowledged == []
    worker.file.trouble = ""
    worker.file.write()
    assert worker.feeds[0].acknowledged == [1]


def test_a_late_copy_is_acknowledged_after_its_original(clock: Clock) -> None:
    worker = Worker([DEVICE], late=True)
    phy = data_up(KEYS, 7, b"x")
    feed = worker.feeds[0]
    feed.hear(heard(phy, 1), token="first")
    clock.advance(WINDOW * 2)
    feed.lane.close()
    feed.lane = feed.new_lane()
    feed.hear(heard(phy, 2), token="late")
    assert feed.dedupe.pending() == 1
    assert feed.acknowledged == []
    worker.uplinks.confirm()
    assert feed.acknowledged == ["late"], "the first connection is gone: its acknowledgement is stale"
    assert (feed.ledger.stale, feed.dedupe.pending()) == (1, 0)
    feed.hear(heard(phy, 3), token="later")
    assert feed.acknowledged == ["late", "later"]
    assert counts(worker) == {FrameOutcome.UPLINK: 1, FrameOutcome.LATE_COPY: 2}


def test_a_retransmission_on_another_frequency(clock: Clock) -> None:
    worker = Worker([DEVICE], late=True)
    phy = data_up(KEYS, 7, b"x", confirmed=True)
    worker.feeds[0].hear(heard(phy), heard(phy, frequency=OTHER_FREQUENCY), token="both")
    clock.advance(WINDOW * 2)
    assert worker.feeds[0].sessions.pending() == 1
    worker.uplinks.confirm()
    assert worker.feeds[0].acknowledged == ["both"]
    assert len(worker.uplinks.uplinks()) == 1
    assert counts(worker) == {FrameOutcome.UPLINK: 1, FrameOutcome.RETRANSMISSION: 1}
    counted = worker.frames.find(EUI)
    assert counted is not None
    assert (counted.received, counted.duplicate, counted.missing) == (1, 1, 0)


def test_another_feed_hears_the_same(clock: Clock) -> None:
    worker = Worker([DEVICE], feeds=2)
    for feed in worker.feeds:
        feed.hear(heard(data_up(KEYS, 7, b"x")), token="x")
    clock.advance(WINDOW * 2)
    assert len(worker.uplinks.uplinks()) == 1
    assert [feed.acknowledged for feed in worker.feeds] == [["x"], ["x"]]


def test_a_retransmission_of_1_1_has_another_mic(clock: Clock) -> None:
    keys = session("01ab23cd", 9, "1.1")
    worker = Worker([Device("th-11", dev_eui=EUI, sessions=(keys,))])
    for channel in range(2):
        worker.feeds[0].hear(heard(data_up(keys, 7, b"x", front=bytes([0, 0, 5, channel]))))
    clock.advance(WINDOW * 2)
    assert counts(worker) == {FrameOutcome.UPLINK: 1, FrameOutcome.RETRANSMISSION: 1}


def test_twins_are_told_apart_by_mic(clock: Clock) -> None:
    worker = Worker([DEVICE, TWIN_DEVICE])
    worker.feeds[0].hear(heard(data_up(TWIN, 1, b"twin")), heard(data_up(KEYS, 1, b"us")))
    clock.advance(WINDOW * 2)
    found = [(uplink.device, uplink.payload) for uplink in worker.uplinks.uplinks()]
    assert found == [("th-18", b"twin"), (EUI, b"us")]


@pytest.mark.parametrize(
    ("last", "f_cnt", "expected"),
    [
        (None, 5, [5, 65_541]),
        (10, 11, [11, None]),
        (10, 10, [10, None]),
        (10, 9, [9, 65_545]),
        (65_535, 0, [65_536, 0]),
        (65_536, 65_535, [65_535, 131_071]),
        (70_000, 5000, [70_536, 5000]),
        (70_000, 4000, [69_536, 135_072, 4000]),
        (10, 16_394, [16_394, None]),
        (200_000, 3392, [200_000, 134_464, 3392]),
        (2**32 - 1, 0, [4_294_901_760, 0]),
    ],
)
def test_what_16_bits_may_mean(last: int | None, f_cnt: int, expected: list[int | None]) -> None:
    found = list(meanings(last, f_cnt))
    assert all(each & 0xFFFF == f_cnt for each in found)
    assert len(found) == len(set(found))
    wanted = [each for each in expected if each is not None]
    assert found[: len(wanted)] == wanted
    assert (None not in expected) or len(found) == len(wanted)


def test_roll_over_and_restart(clock: Clock) -> None:
    worker = Worker([DEVICE])
    up(worker, clock, 65_534, 65_535, 65_536, 65_538)
    again = Worker([DEVICE], File(worker.file.written))
    up(again, clock, 65_539)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [65_534, 65_535, 65_536, 65_538]
    assert [uplink.f_cnt for uplink in again.uplinks.uplinks()] == [65_539]
    assert worker.frames.total.missing == 1


def test_a_counter_that_has_reached_its_end_goes_back(clock: Clock) -> None:
    kept = b"\0" + struct.pack("<I4s", 2**32 - 2, b"mark")
    worker = Worker([DEVICE], File({(ROWS, place_of(KEYS)): kept}))
    up(worker, clock, 2**32 - 1, 0)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [2**32 - 1]
    assert worker.dead.reasons == [Reason.F_CNT_INVALID]


def test_a_counter_that_jumps_far_is_taken_by_its_mic(clock: Clock) -> None:
    worker = Worker([DEVICE])
    up(worker, clock, 70_000, 70_000 + 16_384, 70_000 + 16_384 + 16_385)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [70_000, 86_384, 102_769]
    assert counts(worker) == {FrameOutcome.UPLINK: 3}


def test_a_session_of_which_nothing_is_known_may_be_old(clock: Clock) -> None:
    worker = Worker([DEVICE])
    up(worker, clock, 3_000_001)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [3_000_001]


def test_after_a_restart_what_was_perhaps_not_acknowledged_is_published_again_once(clock: Clock) -> None:
    worker = Worker([DEVICE], late=True)
    worker.file.late = True
    up(worker, clock, 98, 99, 100)
    for _ in range(3):
        worker.uplinks.confirm()
    worker.file.write()
    again = Worker([DEVICE], File(worker.file.written))
    up(again, clock, 99, 100, 98, 101)
    assert [uplink.f_cnt for uplink in again.uplinks.uplinks()] == [99, 100, 98, 101]
    assert counts(again) == {FrameOutcome.UPLINK: 4, FrameOutcome.REDELIVERED: 3}
    for f_cnt in (99, 101):
        again.feeds[0].hear(heard(data_up(KEYS, f_cnt, b"t%d" % f_cnt), frequency=OTHER_FREQUENCY))
    clock.advance(WINDOW * 2)
    assert len(again.uplinks.uplinks()) == 4


def test_after_a_restart_what_was_acknowledged_is_never_published_again(clock: Clock) -> None:
    """Of the last frame nobody knows: it was acknowledged after its counter was written."""
    worker = Worker([DEVICE])
    up(worker, clock, *range(1, 101))
    again = Worker([DEVICE], File(worker.file.written))
    up(again, clock, 99, 101 - REMEMBERED, 100, 98)
    assert [uplink.f_cnt for uplink in again.uplinks.uplinks()] == [100]
    assert counts(again) == {FrameOutcome.UPLINK: 1, FrameOutcome.REDELIVERED: 1, FrameOutcome.RETRANSMISSION: 3}
    assert again.feeds[0].ledger.fates[Fate.DEDUPLICATED] == 3
    up(again, clock, 100 - REMEMBERED)
    assert again.dead.reasons == [Reason.F_CNT_INVALID], "older than what is remembered"
    third = Worker([DEVICE], File(worker.file.written))
    up(third, clock, 101, 100)
    assert [uplink.f_cnt for uplink in third.uplinks.uplinks()] == [101], "its source would have sent it first"


def test_what_was_never_accepted_is_no_replay(clock: Clock) -> None:
    worker = Worker([DEVICE])
    up(worker, clock, 100, 103, 102, 101)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [100, 103, 102, 101]
    counted = worker.frames.find(EUI)
    assert counted is not None
    assert (counted.received, counted.missing) == (4, 0)


def test_a_counter_is_kept_after_its_record_is_confirmed(clock: Clock) -> None:
    worker = Worker([DEVICE], late=True)
    worker.file.late = True
    up(worker, clock, 1)
    assert worker.file.values == {}
    worker.uplinks.confirm()
    assert worker.file.values
    assert worker.feeds[0].acknowledged == [], "not before the counter is in the file"
    worker.file.write()
    assert worker.feeds[0].acknowledged == [1]


def test_a_counter_that_goes_back(clock: Clock) -> None:
    for policy, fate in (
        (FramePolicyConfig(), Fate.DEAD_LETTERED),
        (FramePolicyConfig(replay="filter"), Fate.FILTERED),
    ):
        worker = Worker([DEVICE], policy=policy)
        up(worker, clock, 1000, 1)
        assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [1000]
        assert worker.feeds[0].ledger.fates[fate] == 1
        assert counts(worker) == {FrameOutcome.UPLINK: 1, FrameOutcome.WENT_BACK: 1}


def test_another_frame_of_the_same_counter(clock: Clock) -> None:
    worker = Worker([DEVICE])
    up(worker, clock, 5)
    worker.feeds[0].hear(heard(data_up(KEYS, 5, b"another")))
    clock.advance(WINDOW * 2)
    assert worker.dead.reasons == [Reason.F_CNT_INVALID]


def test_a_device_that_was_reset(clock: Clock) -> None:
    worker = Worker([DEVICE], policy=FramePolicyConfig(reset="accept"))
    up(worker, clock, 1000, 0, 1, 2)
    assert [uplink.f_cnt for uplink in worker.uplinks.uplinks()] == [1000, 0, 1, 2]
    counted = worker.frames.find(EUI)
    assert counted is not None
    assert (counted.reset, counted.missing) == (1, 0)
    again = Worker([DEVICE], File(worker.file.written))
    up(again, clock, 3)
    assert [uplink.f_cnt for uplink in again.uplinks.uplinks()] == [3]


def test_counters_that_come_again_after_a_reset_make_other_ids(clock: Clock) -> None:
    worker = Worker([DEVICE], policy=FramePolicyConfig(reset="accept"))
    for f_cnt, payload in ((0, b"first life"), (1000, b"late"), (0, b"second life")):
        worker.feeds[0].hear(heard(data_up(KEYS, f_cnt, payload)), token=payload)
        clock.advance(WINDOW * 2)
    ids = [uplink.id for uplink in worker.uplinks.uplinks()]
    assert len(set(ids)) == 3
    assert all(each is not None and each.startswith(b"01ab23cd-") for each in ids)
    again = Worker([DEVICE], policy=FramePolicyConfig(reset="accept"))
    again.feeds[0].hear(heard(data_up(KEYS, 0, b"first life")), token="again")
    clock.advance(WINDOW * 2)
    assert [uplink.id for uplink in again.uplinks.uplinks()] == ids[:1], "a frame that is sent again has its id"


def test_a_reset_whose_predecessor_is_confirmed_later(clock: Clock) -> None:
    worker = Worker([DEVICE], policy=FramePolicyConfig(reset="accept"), late=True)
    up(worker, clock, 1000, 0)
    worker.uplinks.confirm(1)
    worker.uplinks.confirm(0)
    assert worker.feeds[0].acknowledged == [1000, 0]
    again = Worker([DEVICE], File(worker.file.written))
    up(again, clock, 1)
    assert [uplink.f_cnt for uplink in again.uplinks.uplinks()] == [1]


def test_frames_that_are_not_ours(clock: Clock) -> None:
    worker = Worker([DEVICE], crc="dead_letter")
    good = data_up(KEYS, 1, b"x")
    worker.feeds[0].hear(
        heard(data_up(session("01ab23ce"), 1, b"foreign")),
        heard(good[:-1] + bytes([good[-1] ^ 1])),
        heard(b"\xe0proprietary"),
        heard(good, crc_ok=False),
        heard(good),
    )
    clock.advance(WINDOW * 2)
    assert counts(worker) == {
        FrameOutcome.FOREIGN: 1,
        FrameOutcome.MIC_INVALID: 1,
        FrameOutcome.FRAME_INVALID: 1,
        FrameOutcome.CRC_INVALID: 1,
        FrameOutcome.UPLINK: 1,
    }
    assert sorted(worker.dead.reasons, key=str) == [Reason.CRC_INVALID, Reason.FRAME_INVALID, Reason.MIC_INVALID]
    assert worker.feeds[0].ledger.fates[Fate.FILTERED] == 1
    assert worker.feeds[0].ledger.conserved()

    strict = Worker([DEVICE], policy=FramePolicyConfig(unknown="dead_letter", invalid="filter", wrong_mic="filter"))
    strict.feeds[0].hear(
        heard(data_up(session("01ab23ce"), 1, b"foreign")),
        heard(good[:-1] + b"?"),
        heard(b""),
        heard(good, crc_ok=False),
    )
    clock.advance(WINDOW * 2)
    assert strict.dead.reasons == [Reason.DEVICE_UNKNOWN]
    assert strict.feeds[0].ledger.fates[Fate.FILTERED] == 3


def test_joins(clock: Clock) -> None:
    worker = Worker([DEVICE])
    ours, others = join_request(EUI, "1112131415161718", 513), join_request("ffffffffffffffff")
    worker.feeds[0].hear(heard(ours, 1), heard(others, 1), heard(ours, 2))
    clock.advance(WINDOW * 2)
    [event] = worker.events.events()
    assert (event.kind, event.device, event.id) == ("join", EUI, "1112131415161718-513")
    assert event.details == {
        "devEui": EUI,
        "devNonce": 513,
        "joinEui": "1112131415161718",
        "rxInfo": [
            {"gateway": "0000000000000001", "rssi": -81.0, "snr": 5.5},
            {"gateway": "0000000000000002", "rssi": -82.0, "snr": 5.5},
        ],
    }
    assert counts(worker) == {FrameOutcome.JOIN: 1, FrameOutcome.FOREIGN_JOIN: 1, FrameOutcome.COPY: 1}


def test_forged_joins_make_no_more_records_than_are_allowed(clock: Clock) -> None:
    """Nobody but the network server can verify a join request, and a rejoin of type 1 neither."""
    worker = Worker([DEVICE], policy=FramePolicyConfig(joins=5))
    for nonce in range(1, 201):
        worker.feeds[0].hear(heard(join_request(EUI, "1112131415161718", nonce)))
        clock.advance(WINDOW * 2)
    told = worker.events.events()
    assert len(told) == 5
    assert not any(event.verified for event in told)
    assert counts(worker) == {FrameOutcome.JOIN: 5, FrameOutcome.JOIN_LIMITED: 195}
    ledger = worker.feeds[0].ledger
    assert (ledger.fates[Fate.PUBLISHED], ledger.fates[Fate.FILTERED]) == (5, 195)
    assert ledger.conserved()
    assert len(worker.joins) == 1


def test_mac_commands_are_events_and_count(clock: Clock) -> None:
    worker = Worker([DEVICE])
    worker.feeds[0].hear(
        heard(data_up(KEYS, 1, b"\x02", port=0)), heard(data_up(KEYS, 2, port=None, f_opts=b"\x03\x07"))
    )
    clock.advance(WINDOW * 2)
    told = [(event.kind, event.details["fPort"], event.details["macCommands"]) for event in worker.events.events()]
    assert told == [("mac", 0, "02"), ("mac", None, "0307")]
    assert [event.id for event in worker.events.events()] == [f"{KEYS.dev_addr}-1", f"{KEYS.dev_addr}-2"]
    worker.feeds[0].hear(heard(data_up(KEYS, 2, b"x")))
    clock.advance(WINDOW * 2)
    assert worker.dead.reasons == [Reason.F_CNT_INVALID]


def test_drain_passes_on_at_once(clock: Clock) -> None:
    worker = Worker([DEVICE])
    worker.feeds[0].hear(heard(data_up(KEYS, 1, b"x")))
    coroutine = worker.feeds[0].dedupe.drain(clock.now)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert worker.feeds[0].dedupe.pending() == 0
    assert len(worker.uplinks.uplinks()) == 1
    assert all(alarm.cancelled for alarm in clock.alarms)


def test_it_runs_on_a_real_loop() -> None:
    async def run() -> int:
        worker = Worker([DEVICE])
        worker.feeds[0].hear(heard(data_up(KEYS, 1, b"x"), 1))
        worker.feeds[0].hear(heard(data_up(KEYS, 1, b"x"), 2))
        await asyncio.sleep(WINDOW * 1.5)
        return len(worker.uplinks.uplinks())

    assert asyncio.run(run()) == 1

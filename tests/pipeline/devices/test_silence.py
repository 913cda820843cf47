"""Who is silent: overdue by configured, learned or general intervals, over restarts and reloads, without holding up."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Any

import pytest

from pipeline.core.logs import fields
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.devices.silence import UNSEEN, LastSeen, SilenceDetector, SilencePolicy
from pipeline.devices.silence_watch import SilenceWatch, read
from pipeline.lorawan.statistics import FrameStatistics
from pipeline.state.store import Store

HOUR = 3600.0


class Bench:
    """A watch whose clock the test turns."""

    def __init__(self, folder: Path | None = None, *devices: Device, **patience: Any) -> None:
        self.now = 1_769_000_000_000
        self.wrong = 0  # ms that the clock is ahead of the time that passes
        self.folder = folder
        self.patience = SilencePolicy(**patience)
        self.raw = {"gates": FrameStatistics()}
        self.store = Store(None)
        self.begin(*devices)

    def clock(self) -> int:
        return self.now + self.wrong

    def begin(self, *devices: Device) -> None:
        """Start the worker anew, with what the store has kept."""
        self.watch = SilenceWatch(self.store, self.folder, self.raw, self.clock, lambda: self.now / 1000)
        self.watch.configure(self.patience, DeviceRegistry(devices))
        self.look()

    def look(self) -> None:
        for _ in self.watch.look():
            pass

    def after(self, seconds: float) -> list[str]:
        """Wait, look, and say who is silent."""
        self.now += round(seconds * 1000)
        self.look()
        return list(self.watch.devices.silent)

    def speak(self, *keys: str, connector: str = "th", model: str = "WeatherObserved") -> None:
        for key in keys:
            self.watch.find(key, (connector, model)).last = self.clock()

    def regularly(self, key: str, gap: Callable[[], float], times: int = 30) -> None:
        for _ in range(times):
            self.now += round(gap() * 1000)
            self.speak(key)
            self.look()

    def silent(self, what: str = "devices") -> dict[str, int]:
        counts = getattr(self.watch, what).counts.silent
        return {age: count for age, count in counts.items() if count}


YEAR = 365 * 86_400_000


@pytest.mark.parametrize("by", [YEAR, -YEAR, 60_000, -60_000])
def test_a_clock_that_is_set_makes_nobody_silent_and_hides_nobody(by: int) -> None:
    bench = Bench(None, Device("a", interval=600), Device("b", interval=600), Device("c", interval=600))
    bench.speak("a", "b")
    bench.after(5)
    bench.speak("a")
    bench.wrong = by
    bench.speak("b")
    assert bench.after(5) == []
    assert bench.after(1780) == []
    bench.speak("b")
    assert bench.after(30) == ["a", "c"]
    assert bench.silent() == {"1h": 1, "never": 1}
    [_, row] = bench.watch.latest(2)
    assert (row.name, bench.clock() - row.last) == ("a", 1_810_000)
    bench.speak("a")
    assert bench.after(5) == ["c"]


def test_what_was_kept_by_a_clock_that_was_ahead_is_of_now() -> None:
    bench = Bench(None, Device("a", interval=600))
    bench.wrong = YEAR
    bench.speak("a")
    bench.after(5)
    bench.watch.close()
    bench.wrong = 0
    bench.begin(Device("a", interval=600))
    assert bench.after(1790) == []
    assert bench.after(20) == ["a"]


def test_who_came_once_makes_room_after_a_week() -> None:
    bench = Bench()
    bench.watch.devices.places = bench.watch.devices._room = 3
    bench.speak("a", "b", "c")
    bench.after(6 * 86_400)
    bench.speak("c")
    bench.after(2 * 86_400)
    assert bench.watch.devices._seen.keys() == {"a", "b", "c"}
    assert bench.watch.find("real", ()) is UNSEEN
    bench.look()
    bench.speak("real")
    bench.look()
    assert bench.watch.devices._seen.keys() == {"c", "real"}
    assert dict(bench.store.items("seen")).keys() == {"c", "real"}
    assert bench.watch.devices.counts.seen == 2


def test_made_up_names_push_out_no_device_that_speaks_regularly() -> None:
    """Three times as many as there is room for, each once; a device comes while there is none, and is found too."""
    bench = Bench(None, Device("registered", interval=600))
    devices = bench.watch.devices
    devices.places = devices._room = 400
    made_room: list[int] = []
    devices.made_room = lambda: made_room.append(bench.now)
    for _ in range(5):
        bench.now += 60_000
        bench.speak("registered", "regular")
        bench.look()
    for number in range(1200):
        bench.speak(f"made-up-{number}")
        if number == 700:
            assert bench.watch.find("newcomer", ()) is UNSEEN
        if number % 300 == 299:
            bench.now += 5_000
            bench.speak("regular", *(["newcomer"] if number > 700 else []))
            bench.look()
            bench.speak(*(["newcomer"] if number > 700 else []))
    assert made_room
    assert devices.forgotten >= 200
    assert devices.young <= 400
    assert {"registered", "regular", "newcomer"} <= devices._seen.keys()
    assert "regular" in bench.after(3600)


def test_overdue_by_three_intervals_and_back() -> None:
    bench = Bench(None, Device("a", interval=600), Device("b", interval=600))
    bench.speak("a", "b")
    assert bench.after(1800) == []
    bench.speak("b")
    assert bench.after(1) == ["a"]
    assert bench.watch.devices.gone == ["a"]
    assert bench.silent() == {"1h": 1}
    assert bench.watch.devices.counts.seen == 2
    bench.speak("a", "b")
    assert bench.after(5) == []
    assert bench.watch.devices.back == ["a"]
    assert bench.silent() == {}


@pytest.mark.parametrize(
    ("silence", "age"),
    [(3600, "1h"), (3601, "6h"), (21_601, "1d"), (86_401, "7d"), (604_800, "7d"), (604_801, "longer")],
)
def test_ages(silence: float, age: str) -> None:
    bench = Bench(None, Device("a", interval=10))
    bench.speak("a")
    bench.look()
    bench.after(silence)
    assert bench.silent() == {age: 1}


def test_whose_interval_counts() -> None:
    devices = (Device("own", interval=60, connector="th"), Device("th", connector="th"), Device("model", model="Noise"))
    patience: dict[str, Any] = {
        "after": 2.0,
        "interval": 1000.0,
        "intervals": {"th": 120.0, "Noise": 300.0, "Rain": 500.0},
    }
    bench = Bench(None, *devices, Device("route"), Device("other"), **patience)
    bench.speak("route", connector="inline", model="Rain")
    bench.look()
    for at, silent in [(120, "own"), (240, "th"), (600, "model"), (1000, "route"), (2000, "other")]:
        assert silent not in bench.after(at - (bench.now / 1000 - 1_769_000_000))
        assert bench.after(0.001)[-1] == silent
    patience["intervals"]["Rain"] = 100_000.0
    bench.watch.configure(SilencePolicy(**patience), DeviceRegistry([*devices, Device("route")]))
    assert bench.after(1) == ["own", "th", "model"]


def test_who_never_spoke_is_silent_and_stays_so_over_a_restart() -> None:
    device = Device("a", interval=600)
    bench = Bench(None, device)
    assert bench.after(1799) == []
    assert bench.after(2) == ["a"]
    assert bench.silent() == {"never": 1}
    bench.begin(device)
    assert bench.silent() == {"never": 1}
    assert bench.watch.devices.gone == []  # was said before
    bench.speak("a")
    assert bench.after(1) == []


def test_what_an_earlier_process_kept_is_taken_up_from_the_file(tmp_path: Path) -> None:
    """Also by a third process, where the second one heard nothing of the device."""
    bench = Bench(interval=600)
    bench.store = Store(tmp_path)
    bench.begin()
    bench.regularly("a", lambda: 600.0)
    known = bench.watch.find("a", ()).dump()
    for _ in range(2):
        bench.watch.close()
        asyncio.run(bench.store.close())
        bench.store = Store(tmp_path)
        bench.begin()
        assert dict(bench.store.items("seen")) == {"a": known}
    assert bench.watch.find("a", ()).gaps > 3


def test_a_restart_gives_half_of_the_time_to_speak_again() -> None:
    device = Device("a", interval=600)
    bench = Bench(None, device)
    bench.speak("a")
    bench.look()
    bench.now += 86_400_000
    bench.begin(device)
    assert bench.watch.devices.counts.seen == 1
    assert bench.after(899) == []
    assert bench.after(2) == ["a"]
    assert bench.silent() == {"7d": 1}


@pytest.mark.parametrize("lifecycle", ["planned", "maintenance", "retired"])
def test_nobody_misses_what_is_not_in_use(lifecycle: Any) -> None:
    bench = Bench(None, Device("a", interval=60))
    assert bench.after(200) == ["a"]
    bench.watch.configure(bench.patience, DeviceRegistry([Device("a", interval=60, lifecycle=lifecycle)]))
    assert bench.after(0) == []
    assert bench.watch.devices.back == []
    assert bench.after(9000) == []
    bench.watch.configure(bench.patience, DeviceRegistry([Device("a", interval=60)]))
    assert bench.after(1) == []
    assert bench.after(181) == ["a"]


def test_who_leaves_the_registry_is_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Device("a", interval=60), Device("b", interval=60))
    assert bench.after(200) == ["a", "b"]
    bench.watch.configure(bench.patience, DeviceRegistry([Device("b", interval=60)]))
    assert bench.after(1) == ["b"]
    bench.begin(Device("b", interval=60))
    assert bench.silent() == {"never": 1}


def test_a_regular_interval_is_learned() -> None:
    bench = Bench()
    bench.regularly("a", lambda: 600.0)
    seen = bench.watch.find("a", ())
    assert seen.learned == pytest.approx(600, rel=0.05)
    assert bench.after(1750) == []
    assert bench.after(150) == ["a"]
    bench.begin()
    assert bench.watch.devices.silent.keys() == {"a"}
    assert bench.watch.find("a", ()).learned == pytest.approx(600, rel=0.05)


def test_one_night_without_power_teaches_nothing() -> None:
    bench = Bench()
    bench.regularly("a", lambda: 600.0)
    bench.regularly("a", lambda: 36_000.0, times=1)
    bench.regularly("a", lambda: 600.0, times=3)
    assert bench.watch.find("a", ()).learned < 1500
    bench.regularly("a", lambda: 3600.0, times=20)  # it was set to another interval
    assert bench.watch.find("a", ()).learned == pytest.approx(3600, rel=0.3)


def test_who_speaks_by_chance_is_not_silent_at_each_pause() -> None:
    chance = random.Random(6)
    bench = Bench()
    bench.regularly("a", lambda: chance.expovariate(1 / 600), times=2000)
    assert len(bench.watch.devices.gone) <= 10  # of 2,000 pauses


def test_a_few_gaps_teach_nothing_and_a_short_interval_is_a_minute() -> None:
    bench = Bench(interval=HOUR)
    bench.regularly("a", lambda: 10.0, times=3)
    assert bench.watch.find("a", ()).learned == 0
    bench.regularly("a", lambda: 10.0, times=1)
    assert bench.watch.find("a", ()).learned == 60
    assert bench.after(179) == []
    assert bench.after(2) == ["a"]


def test_a_clock_that_goes_back_teaches_nothing() -> None:
    seen = LastSeen("a")
    for last in (10_000, 5_000, 20_000):
        seen.last = last
        seen.look()
    restored = LastSeen("a")
    restored.restore(seen.dump())
    assert restored.dump() == seen.dump()
    assert seen.since == 20_000


@pytest.mark.parametrize("kept", [b"", b"{}", b"[1]", b'["x",1,true,1,1,1]', b"[1,2,true,null,1,1]", b"\xff"])
def test_what_was_damaged_is_as_never_seen(kept: bytes) -> None:
    seen = LastSeen("a", 7)
    seen.restore(kept)
    assert (seen.last, seen.since, seen.silent) == (0, 7, False)


def test_who_is_in_no_registry_is_forgotten_after_a_week() -> None:
    bench = Bench(interval=600)
    bench.speak("a")
    bench.look()
    assert bench.after(6 * 86_400) == ["a"]
    assert bench.after(86_400 + 1) == []
    assert bench.watch.devices.counts.seen == 0
    bench.speak("a")
    assert bench.after(1) == []
    assert bench.after(1801) == ["a"]


def test_strangers_are_bounded() -> None:
    silence = SilenceDetector("seen", Store(None), lambda: 1, most=3)
    assert [silence.find(key) is UNSEEN for key in "abcd"] == [False, False, False, True]
    assert silence.find("a") is not UNSEEN
    long = SilenceDetector("seen", Store(None), lambda: 1)
    assert [long.find(f"{at}" + "x" * 1024**2) is UNSEEN for at in range(9)].count(True) == 2


def test_it_is_kept_once_a_minute_at_most() -> None:
    bench = Bench(None, Device("a", interval=60))
    puts: list[str] = []
    put = bench.store.put
    bench.store.put = lambda table, key, value: (puts.append(key), put(table, key, value))[1]  # type: ignore[method-assign,func-returns-value]
    bench.regularly("a", lambda: 5.0, times=36)
    assert len(puts) == 3
    bench.watch.close()
    assert len(puts) == 4
    bench.watch.close()
    assert len(puts) == 4


def test_gateways_by_frames_and_by_what_they_tell() -> None:
    bench = Bench(interval=600)
    bench.raw["gates"].gateways["0016c001ff10a235"] = 1
    bench.watch.gateway("told", bench.now)
    bench.look()
    bench.raw["gates"].gateways["0016c001ff10a235"] += 1
    bench.after(1700)
    assert bench.silent("gateways") == {}
    bench.after(101)
    assert list(bench.watch.gateways.silent) == ["told"]
    assert bench.silent("gateways") == {"1h": 1}
    assert bench.silent() == {}
    bench.after(1700)
    assert list(bench.watch.gateways.silent) == ["told", "0016c001ff10a235"]


def test_the_log_has_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(None, *(Device(f"a{at}", interval=60) for at in range(7)))
    caplog.set_level("INFO")
    bench.after(200)
    bench.watch.say()
    bench.speak("a0", "a1")
    bench.after(5)
    bench.watch.say()
    [record] = caplog.records
    assert fields(record) == {"kind": "device", "count": 7, "all": 7, "first": ["a0", "a1", "a2", "a3", "a4"]}


def test_a_hundred_thousand_hold_nobody_up() -> None:
    devices = [Device(f"device-{at}", interval=600) for at in range(100_000)]
    bench = Bench()
    bench.watch.configure(bench.patience, DeviceRegistry(devices))
    slices: list[float] = []

    def through() -> None:
        at = thread_time()
        for _ in bench.watch.look():
            slices.append(thread_time() - at)
            at = thread_time()

    through()
    through()
    bench.now += 1_801_000
    through()
    assert bench.silent() == {"never": 100_000}
    assert len(slices) > 3 * 100
    assert sorted(slices)[-len(slices) // 100] < sum(slices) / 20  # the others have met the garbage collector


def test_what_is_listed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Device("a b", interval=60))
    bench.after(200)
    bench.watch._write(bench.watch._listed())
    [row] = read(tmp_path)
    assert (row.kind, row.name, row.last, row.interval, row.known) == ("device", "a b", 0, 60, "configured")
    (tmp_path / "silent-devices.json").write_text("{")
    assert read(tmp_path) == []
    assert read(tmp_path / "away") == []

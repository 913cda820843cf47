"""The walk of an uplink from Identify to the publisher: which rooms it passes, counted from the calls themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import pipeline
from pipeline.lorawan.identify import Identify
from tests.pipeline.flow import Memory
from tests.pipeline.lorawan.test_identify import ARRIVAL, CHIRPSTACK, DEVICE, flow
from tests.pipeline.network_flow import NetworkFlow

ENGINE = Path(pipeline.__file__).parent
WAY = ["lorawan", "normalise", "encode", "publish"]
BELOW = {"core", "sdk", "models", "state", "devices"}
"""Rooms that stations look something up in; to call them is no move along the way, and they call no station."""
MOST_MOVES = 8


def room_of(frame: FrameType) -> str | None:
    """Return the room of a function of ours; a compiled plan is of the room that compiles it."""
    if frame.f_code is Memory.put.__code__:
        return "publish"
    if frame.f_code.co_filename == "<plan>":
        return "normalise"
    file = Path(frame.f_code.co_filename)
    return file.relative_to(ENGINE).parts[0] if file.is_relative_to(ENGINE) else None


def callers(frame: FrameType) -> Iterator[FrameType]:
    while (above := frame.f_back) is not None:
        yield above
        frame = above


class Walk:
    """What is called from Identify.put on until the publisher has the record."""

    def __init__(self) -> None:
        self.entered: list[str] = []  # the room of each function, in the order of their calls
        self.calls: list[tuple[str, str]] = []  # from room to room
        self._on = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        self._on = self._on or frame.f_code is Identify.put.__code__
        if event != "call" or not self._on or self.entered[-1:] == ["publish"]:
            return
        room = room_of(frame)
        if room is None:
            return
        self.entered.append(room)
        above = next((found for each in callers(frame) if (found := room_of(each)) is not None), room)
        if above != room and frame.f_code is not Identify.put.__code__:
            self.calls.append((above, room))

    @property
    def rooms(self) -> list[str]:
        """The rooms in the order of the walk, each as often as it is entered from another one."""
        return [room for at, room in enumerate(self.entered) if self.entered[at - 1 : at] != [room]]

    @property
    def back(self) -> list[tuple[str, str]]:
        """Calls against the way, and calls of what stands below or beside it into a station."""
        places = {room: at for at, room in enumerate(WAY)}
        return [
            (above, room)
            for above, room in self.calls
            if (room in places and places.get(above, len(WAY)) > places[room]) or room not in {*WAY, *BELOW}
        ]


def uplink(number: int, data: str = "AjAAQKA=") -> tuple[str, dict[str, Any]]:
    topic, said = CHIRPSTACK
    return topic, {**said, "fCnt": said["fCnt"] + number, "data": data}


def walked(network: NetworkFlow, *messages: tuple[str, Any], arrival: int) -> Walk:
    walk, before = Walk(), sys.getprofile()
    sys.setprofile(walk)
    try:
        network.put(*messages, arrival=arrival)
    finally:
        sys.setprofile(before)
    assert walk.entered[0] == "lorawan"
    assert walk.entered[-1] == "publish"
    return walk


@pytest.fixture
def network(tmp_path: Path) -> NetworkFlow:
    """Return a feed on which the device has been heard."""
    network = flow(tmp_path, [DEVICE])
    network.put(uplink(0), arrival=ARRIVAL)
    network.put(uplink(1), arrival=ARRIVAL)
    return network


def test_the_usual_uplink_walks_straight_to_the_publisher(network: NetworkFlow) -> None:
    walk = walked(network, uplink(2), arrival=ARRIVAL)
    assert walk.rooms == ["lorawan", "normalise", "publish"]


def test_the_first_uplink_of_a_read_moves_from_room_to_room_no_more_than_it_may(network: NetworkFlow) -> None:
    walk = walked(network, uplink(2), arrival=ARRIVAL + 60_000)
    assert len(walk.rooms) - 1 <= MOST_MOVES, walk.rooms
    assert walk.back == []


def test_an_uplink_with_an_implausible_value_is_never_handed_back(network: NetworkFlow) -> None:
    walk = walked(network, uplink(2, "AjAB9KA="), arrival=ARRIVAL + 60_000)
    assert walk.back == []
    assert [room for room in dict.fromkeys(walk.rooms) if room in WAY] == WAY


def test_only_the_count_of_refused_frames_hears_of_an_uplink_that_is_refused(network: NetworkFlow) -> None:
    walk = walked(network, uplink(2, "Ag=="), arrival=ARRIVAL + 60_000)
    assert walk.back == [("normalise", "lorawan")]

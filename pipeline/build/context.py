"""What the feeds of one worker share: the registry, the stored state, and the counts of frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from pipeline.core.budgets import Allowance
from pipeline.core.recent import MOST_NAMES, Room
from pipeline.devices.registry import CurrentRegistry
from pipeline.devices.silence import UNSEEN, LastSeen
from pipeline.encode.headers import GivenNames
from pipeline.lorawan.identify import DEVICES, UnknownDeviceSink
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameStatistics
from pipeline.normalise.plan import ENTITIES
from pipeline.normalise.route import TOPICS
from pipeline.observe.connector_cpu import Slow
from pipeline.sdk.uplink import Names
from pipeline.state.store import Store

if TYPE_CHECKING:
    from pipeline.lorawan.session_table import SessionTable
    from pipeline.lorawan.statistics import RadioStatistics

_MOST_DEVICES = MOST_NAMES
_MOST_GATEWAYS = 4096
_CHARACTERS = 8 * 1024**2  # of the names of one generation: each of a few hundred may be given several times over
_NEW_GATEWAYS = 256  # an hour, once so many have come as are remembered


class Rooms:
    """The places for what is looked up by name, of all feeds and connectors together."""

    def __init__(self) -> None:
        self.topics = Room("topics", TOPICS, _CHARACTERS)
        self.entities = Room("entities", ENTITIES, _CHARACTERS)
        self.devices = Room("devices", DEVICES)

    def __iter__(self) -> Iterator[Room]:
        return iter((self.topics, self.entities, self.devices))

    def look_up_anew(self) -> None:
        """Find every device out anew with its next message."""
        self.entities.clear()
        self.devices.clear()


class NoUnknownDevices:
    """Takes no note of unknown devices."""

    def note(self, eui: str, names: Names, arrival: int) -> None:
        """Do nothing."""


class DeviceWatch(Protocol):
    """Records when devices and gateways speak."""

    def find(self, key: str, called: tuple[str, ...]) -> LastSeen:
        """Return where it is noted that a device speaks.

        Args:
            key: As in entity ids.
            called: Its connector and model.
        """

    def gateway(self, name: str, arrival: int) -> None:
        """Take note that a gateway told of itself.

        Args:
            arrival: Milliseconds since 1970 UTC.
        """


class NoDeviceWatch:
    """Records nothing."""

    def find(self, key: str, called: tuple[str, ...]) -> LastSeen:  # noqa: ARG002 - the watch's shape
        """Return one for all."""
        return UNSEEN

    def gateway(self, name: str, arrival: int) -> None:
        """Do nothing."""


class WorkerContext:
    """One for each worker.

    Attributes:
        store: None for a run that shall leave no trace.
        strangers: Records unknown devices.
        raw: What is counted of the frames of each feed that brings any.
        radio: How well a sample of uplinks was heard, of each feed on which a network server speaks.
        frames: What the counters of all devices tell.
        watch: Records when devices and gateways speak; to be set before any feed's stages are made.
        rooms: The caches of what is looked up by name.
        costs: Seconds of processor time by connector.
        slow: Messages of each that took too long.
        names: Those that were made of an arrival lately.
        joins: How many join requests of a device are recorded in an hour: nothing proves their sender.
        gateway_events: How many events of a gateway are recorded in an hour, for the same reason.
    """

    def __init__(
        self,
        directory: CurrentRegistry | None = None,
        store: Store | None = None,
        strangers: UnknownDeviceSink | None = None,
    ) -> None:
        self.directory = directory or CurrentRegistry()
        self.store = store or Store(None)
        self.strangers: UnknownDeviceSink = strangers or NoUnknownDevices()
        self.raw: dict[str, FrameStatistics] = {}
        self.radio: dict[str, RadioStatistics] = {}
        self.frames = DeviceFrameStatistics()
        self.watch: DeviceWatch = NoDeviceWatch()
        self.costs: dict[str, float] = {}
        self.slow = Slow()
        self.rooms = Rooms()
        self.joins = Allowance(_MOST_DEVICES)
        self.gateway_events = Allowance(_MOST_GATEWAYS, _NEW_GATEWAYS)
        self.names = GivenNames()

    @cached_property
    def counters(self) -> SessionTable:
        """The frame counters of all sessions; they bring cryptography, which only feeds of gateways need."""
        from pipeline.lorawan.session_table import SessionTable  # noqa: PLC0415

        return SessionTable(self.directory, self.store)

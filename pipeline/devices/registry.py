"""The device registry: each device's identity, place, connector, and the keys of its sessions.

    devices = Devices([Device("th-17", dev_eui="0011223344556677", aliases=("hall-3",))])
    devices.by_name("hall-3")              what a topic or payload calls it: key, alias or DevEUI
    devices.by_eui("0011223344556677")     what a network server calls it
    devices.sessions("01ab23cd")           the sessions whose keys may fit a raw frame of that DevAddr

Plain data, never changed: a reload makes a new registry, and each user takes it (`TakesDevices`). How a
file becomes one: pipeline/config/devices.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, Protocol, Self, get_args
from weakref import WeakMethod

Lifecycle = Literal["planned", "active", "maintenance", "retired"]
LIFECYCLES: tuple[Lifecycle, ...] = get_args(Lifecycle)
Preference = Literal["server", "raw"]
"""Which uplinks of a device that is heard through a network server and raw are published."""

_KEY_BYTES = 16
_EUI_LENGTHS = {16, 23}  # characters: plain, and with a dash or colon between each two


class Key(bytes):
    """An AES-128 key; what is printed or logged of it is never the key."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Take the 16 bytes.

        Raises:
            ValueError: they are not 16; the text does not hold them.
        """
        if len(value) != _KEY_BYTES:
            raise ValueError(f"Expected a key of {_KEY_BYTES} bytes, got {len(value)}.")
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return "Key(not shown)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class Session:
    """The keys of one LoRaWAN session (LoRaWAN 1.1, clause 6.1.2; 1.0.4, clause 6.1).

    Attributes:
        dev_addr: 8 lower-case hex digits.
        app_s_key: Of application payloads.
        f_nwk_s_int_key: Of the MIC.
        s_nwk_s_int_key: Of the MIC.
        nwk_s_enc_key: Of payloads on FPort 0 and of FOpts. A session of version 1.0 has its NwkSKey as all three.
    """

    dev_addr: str
    version: Literal["1.0", "1.1"]
    app_s_key: Key
    f_nwk_s_int_key: Key
    s_nwk_s_int_key: Key
    nwk_s_enc_key: Key

    @property
    def nwk_s_key(self) -> Key:
        """The NwkSKey of version 1.0."""
        return self.f_nwk_s_int_key


@dataclass(frozen=True, slots=True)
class Device:
    """One device, as the operator knows it.

    Attributes:
        key: The asset, stable while hardware is replaced; the device's part of entity ids.
        dev_eui: 16 lower-case hex digits.
        aliases: Other names in topics and payloads.
        name: For people.
        connector: `vendor/device`, or a name under `connectors`.
        model: Instead of the connector's.
        location: Longitude, latitude (, altitude in metres), WGS84.
        attributes: Constant attributes of the entity, JSON values in the model's canonical units.
        prefer: Which of them to publish when it is heard through a server and raw.
        interval: Seconds between two readings, as a rule.
        lifecycle: Only an active one is missed when it is silent.
        line: Where it stands in its file.
    """

    key: str
    dev_eui: str | None = None
    aliases: tuple[str, ...] = ()
    name: str | None = None
    connector: str | None = None
    model: str | None = None
    location: tuple[float, ...] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    sessions: tuple[Session, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    prefer: Preference | None = None
    interval: float | None = None
    lifecycle: Lifecycle = "active"
    line: int = 0


class DeviceRegistry:
    """All devices, found by what messages call them. Each name, DevEUI and alias belongs to one device."""

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        self._devices = tuple(devices)
        self._by_name: dict[str, Device] = {}
        self._by_eui: dict[str, Device] = {}
        self._holders: dict[str, Device | tuple[Device, ...]] = {}  # of a DevAddr; nearly each has one
        for device in self._devices:
            self._index(device)

    def _index(self, device: Device) -> None:
        self._by_name[device.key] = device
        for alias in device.aliases:
            self._by_name[alias] = device
        if device.dev_eui is not None:
            self._by_eui[device.dev_eui] = device
        for session in device.sessions:
            held = self._holders.setdefault(session.dev_addr, device)
            if held is not device:
                others = held if isinstance(held, tuple) else (held,)
                self._holders[session.dev_addr] = others if others[-1] is device else (*others, device)

    def by_name(self, name: str) -> Device | None:
        """Return the device with that key, alias or DevEUI (in either case, also with dashes or colons), or None."""
        found = self._by_name.get(name)
        if found is None and len(name) in _EUI_LENGTHS:
            return self._by_eui.get(name.replace("-", "").replace(":", "").lower())
        return found

    def by_eui(self, eui: str) -> Device | None:
        """Return the device with that DevEUI, 16 lower-case hex digits, or None."""
        return self._by_eui.get(eui)

    def sessions(self, dev_addr: str) -> Sequence[tuple[Device, Session]]:
        """Return the sessions of a DevAddr, 8 lower-case hex digits; several devices may share one."""
        held = self._holders.get(dev_addr, ())
        devices = held if isinstance(held, tuple) else (held,)
        return [(device, each) for device in devices for each in device.sessions if each.dev_addr == dev_addr]

    def __len__(self) -> int:
        return len(self._devices)

    def __iter__(self) -> Iterator[Device]:
        return iter(self._devices)


class TakesDevices(Protocol):
    """A user of the registry, which gets the new one at a reload, between two messages."""

    def take(self, devices: DeviceRegistry) -> None:
        """Look devices up in this registry from now on."""


class CurrentRegistry:
    """Holds the registry that is in force; one for each worker."""

    def __init__(self, devices: DeviceRegistry | None = None) -> None:
        self.devices = DeviceRegistry() if devices is None else devices
        self._changed: dict[int, WeakMethod[Callable[[], None]]] = {}
        self._numbers = count()

    def find(self, name: object) -> Device | None:
        """Return the device that a message calls so: by its key, an alias or its DevEUI."""
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        return self.devices.by_name(name) if isinstance(name, str) else None

    def on_change(self, call: Callable[[], None]) -> None:
        """Call a method when another registry is in force, for as long as its object is in use."""
        number = next(self._numbers)
        self._changed[number] = WeakMethod(call, lambda _: self._changed.pop(number, None))

    def take(self, devices: DeviceRegistry) -> None:
        """Put another registry in force, between two messages."""
        self.devices = devices
        for each in list(self._changed.values()):
            if (call := each()) is not None:
                call()

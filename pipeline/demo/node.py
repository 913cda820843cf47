"""A LoRaWAN device as its network knows it: DevEUI, session, frame counter; and what may be odd about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from secrets import token_bytes
from zlib import crc32

from pipeline.demo.device import Device
from pipeline.devices.registry import Key, Session

_FIRST_COUNT = 5_000
_EXPERIMENTAL = 0x01FF_FFFF  # DevAddrs of NetID 0, which nobody's network has


class Quirk(Enum):
    """What is odd about one LoRaWAN device."""

    UNKNOWN = "the registry does not have it"
    ENCRYPTED = "its network server has no AppSKey"
    FAST_SERVER = "its network server's clock is two hours fast"
    WRONG_KEY = "the registry has another NwkSKey"
    STRANGER = "it is somebody else's"
    REPLAYED = "somebody sends again what it said last week"
    JOINING = "it asks to join, again and again"
    COLLIDING = "two frames at once, so that the checksum is wrong"


@dataclass(slots=True)
class Node:
    """The radio of a device. turn: how often it has spoken; its frame counter goes on with it."""

    device: Device
    quirk: Quirk | None = None
    session: Session = field(init=False, repr=False)
    turn: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        app, network = Key(token_bytes(16)), Key(token_bytes(16))
        address = crc32(self.device.name.encode()) & _EXPERIMENTAL
        self.session = Session(f"{address:08x}", "1.0", app, network, network, network)

    @property
    def dev_eui(self) -> str:
        """Its DevEUI."""
        return f"70b3d5e0{crc32(self.device.name.encode()):08x}"

    @property
    def f_cnt(self) -> int:
        """Its frame counter."""
        return _FIRST_COUNT + self.turn

    @property
    def registered(self) -> bool:
        """Whether the registry has it."""
        return self.quirk not in {Quirk.UNKNOWN, Quirk.STRANGER}

    @property
    def known_session(self) -> Session:
        """The session as the registry has it."""
        if self.quirk is not Quirk.WRONG_KEY:
            return self.session
        other = Key(token_bytes(16))
        return Session(self.session.dev_addr, "1.0", self.session.app_s_key, other, other, other)

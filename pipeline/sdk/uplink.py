"""One transmission of one device, whatever network brought it: what a dialect makes and a connector decodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import orjson
from msgspec import Struct

from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import Fields, told
from pipeline.core.recent import MOST_NAMES

_LONGEST_FRAME = 255
_LONGEST_EUI = 23  # characters: eight bytes in hex, a dash or colon between each


class Reception(Struct, gc=False, frozen=True):
    """How one gateway heard a transmission.

    Attributes:
        gateway: Its EUI in 16 lower-case hex digits, or the server's name for it.
        rssi: DBm.
        snr: DB.
        time: The gateway's own clock, in milliseconds since 1970 UTC; None without one.
        location: Longitude, latitude (, altitude in metres).
        gps: Whether `time` is GPS's, and so worth more than arrival; of raw frames alone it is asked.
    """

    gateway: str
    rssi: float | None = None
    snr: float | None = None
    time: int | None = None
    location: tuple[float, ...] | None = None
    gps: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """What a network server calls a device: they pick its connector where no registry knows the device."""

    name: str | None = None
    brand: str | None = None
    model: str | None = None
    profile: str | None = None
    application: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class LazyDetails(NamedTuple):
    """What goes with an uplink and is seldom asked for; each function makes it of what the dialect has kept."""

    receptions: Callable[[Any], tuple[Reception, ...]] = lambda _: ()
    names: Callable[[Any], Names] = lambda _: Names()


_NOTHING = LazyDetails()


class Uplink(Struct):
    """One transmission of one device. A connector reads the first four, and never changes any.

    Attributes:
        payload: The application's bytes, decrypted (LoRaWAN: FRMPayload).
        port: The LoRaWAN FPort, or None without one; connectors see 1 to 255.
        fields: What a network server has decoded already, or None.
        received_at: Arrival here, in milliseconds since 1970 UTC, for devices that tell times relative to it; a
            connector has no clock of its own.
        device: The DevEUI in 16 lower-case hex digits.
        time: When the network heard it, in milliseconds since 1970 UTC.
        dev_addr: 8 lower-case hex digits.
        f_cnt: The frame counter, all 32 bits of it.
        said: What `receptions` and `names` are made of when they are asked for; most uplinks are published without.
        aside: Makes them of `said`.
        raw: Whether it came straight from gateways.
        mark: The end of its `id` where DevAddr, counter and port may come again; else empty.
    """

    payload: bytes
    port: int | None = None
    fields: Fields | None = None
    received_at: int = 0
    device: str = ""
    time: int | None = None
    dev_addr: str | None = None
    f_cnt: int | None = None
    said: Any = None
    aside: LazyDetails = _NOTHING
    raw: bool = False
    mark: str = ""

    def receptions(self) -> tuple[Reception, ...]:
        """Return how each gateway heard it."""
        return self.aside.receptions(self.said)

    def names(self) -> Names:
        """Return what the network server calls the device."""
        return self.aside.names(self.said)

    @property
    def id(self) -> bytes | None:
        """What tells its readings' `ce_id` from others of the device: DevAddr, FCnt and FPort, the same on every path.

        Without a DevAddr, which changes with the session and so with the counter, the network's time stands for it.
        None: the message has nothing that a redelivery would repeat.
        """
        if self.f_cnt is None:
            return None if self.time is None else b"%d-%08x" % (self.time, crc32(self.payload))
        if self.dev_addr is not None:
            return f"{self.dev_addr}-{self.f_cnt}-{self.port}{self.mark}".encode()
        return None if self.time is None else b"%d-%d-%d" % (self.f_cnt, self.port or 0, self.time)

    def frame(self) -> bytes:
        """Return the payload of a device that speaks LoRaWAN, for decoders that walk through its bytes.

        Raises:
            PayloadError: it is longer than a frame can be: LoRaWAN's regional parameters allow 242 bytes.
        """
        if len(self.payload) > _LONGEST_FRAME:
            raise PayloadError(f"expected at most {_LONGEST_FRAME} bytes, got {len(self.payload)}")
        return self.payload

    def json(self) -> Any:  # noqa: ANN401 - JSON holds anything
        """Return the JSON value of the payload.

        Raises:
            PayloadError: it is no JSON.
        """
        try:
            return orjson.loads(self.payload)
        except orjson.JSONDecodeError as error:
            raise PayloadError(f"expected JSON: {error}") from None


def eui(value: object) -> str:
    """Return an EUI-64 as 16 lower-case hex digits; it may come in either case, with dashes or colons.

    Raises:
        PayloadError: it is absent (`device_missing`), or none (`device_invalid`).
    """
    if value is None:
        return eui_of("")
    if not isinstance(value, str):
        raise PayloadError(f"Expected an EUI of 16 hex digits, got {told(value)}.", Reason.DEVICE_INVALID)
    return eui_of(value)


@lru_cache(maxsize=MOST_NAMES)
def eui_of(text: str) -> str:
    """Return what `eui` does, of what is a text for certain."""
    if not text:
        raise PayloadError("Expected an EUI of 16 hex digits; it is absent.", Reason.DEVICE_MISSING)
    digits = "" if len(text) > _LONGEST_EUI else text.replace("-", "").replace(":", "").lower()
    if len(digits) != 16 or not digits.isascii() or not all(digit in "0123456789abcdef" for digit in digits):  # noqa: PLR2004
        raise PayloadError(f"Expected an EUI of 16 hex digits, got {told(text)}.", Reason.DEVICE_INVALID)
    return digits

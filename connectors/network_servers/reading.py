"""How dialects read values of servers' messages: each type is checked, and what does not fit is refused in a sentence.

What makes a message (payload, port, counter, time, address) raises PayloadError; what only goes with it (signal,
places, names) is left out where it is no such thing, since a reading is worth more than its radio data.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import told
from pipeline.core.times import LATEST, parse
from pipeline.sdk.uplink import eui

HIGHEST_PORT = 255
HIGHEST_COUNTER = 2**32 - 1
_SECONDS_END = 100_000_000_000  # a number below is in seconds: as milliseconds it would lie before March 1973
_MILLISECONDS_END = 10_000_000_000_000  # 13 digits
_LONGEST_NUMBER = 40  # characters
_LONGEST_NAME = 1024  # characters; a longer one would make no entity, after a look at each of 256 KiB
_HUGE = 10.0**300
_DIGITS = re.compile(r"-?[0-9]+", re.ASCII)
_ADDRESS = re.compile(r"[0-9a-f]{8}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]*", re.ASCII)
_LONGEST_SECRET = 40  # characters, with dashes between
_CONTAINERS = (dict, list)  # what JSON has; a call for each number in it would take ten times as long
_SECRETS = {
    "appskey", "nwkskey", "fnwksintkey", "snwksintkey", "nwksenckey", "appkey", "nwkkey", "genappkey", "mcappskey",
    "mcnwkskey", "joinservercontext", "password", "token", "apikey",
}  # fmt: skip


def integer(value: object, what: str, highest: int) -> int | None:
    """Return a whole number from 0 to `highest`, None where it is absent; a text of digits is one too.

    Raises:
        PayloadError: it is something else.
    """
    if value.__class__ is int and 0 <= value <= highest:
        return value
    if value is None or value == "":
        return None
    whole = number(value)
    if whole is None or not 0 <= whole <= highest or whole != int(whole):
        raise PayloadError(f"Expected {what} from 0 to {highest}, got {shown(value)}.")
    return int(whole)


def port(value: object) -> int | None:
    """Return a LoRaWAN FPort, or None where there is none."""
    return integer(value, "an FPort", HIGHEST_PORT)


def counter(value: object) -> int | None:
    """Return a LoRaWAN frame counter, or None where there is none."""
    return integer(value, "a frame counter", HIGHEST_COUNTER)


def number(value: object) -> float | None:
    """Return a finite number, also of a text; None for all else."""
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or not value.isascii() or "_" in value:
            return None
        try:
            value = int(value) if _DIGITS.fullmatch(value) else float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_HUGE < value < _HUGE else None  # NaN is not, either


def text(value: object) -> str | None:
    """Return a text that is not empty; a whole number as its digits; None for all else."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def hexadecimal(value: object, what: str) -> bytes:
    """Return the bytes of a text of hex digits.

    Raises:
        PayloadError: it is absent, or no such text.
    """
    if not isinstance(value, str) or len(value) % 2 or not _HEX.fullmatch(value):
        raise PayloadError(f"Expected bytes in hex as {what}, got {shown(value)}.")
    return bytes.fromhex(value)


def base64(value: object, what: str) -> bytes:
    """Return the bytes of a text in Base64 (RFC 4648, clause 4); an empty text or null has none.

    Raises:
        PayloadError: it is no such text.
    """
    if value is None:
        return b""
    try:
        if isinstance(value, str):
            return a2b_base64(value, strict_mode=True)
    except ValueError:  # also what is not ASCII
        pass
    raise PayloadError(f"Expected bytes in Base64 as {what}, got {shown(value)}.")


def address(value: object) -> str | None:
    """Return a DevAddr as 8 lower-case hex digits, or None where there is none.

    Raises:
        PayloadError: it is something else.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise PayloadError(f"Expected a DevAddr of 8 hex digits, got {shown(value)}.")
    return address_of(value)


@lru_cache(maxsize=131_072)
def address_of(text: str) -> str | None:
    """Return what `address` does, of what is a text for certain."""
    if not text:
        return None
    digits = text.lower()
    if not _ADDRESS.fullmatch(digits):
        raise PayloadError(f"Expected a DevAddr of 8 hex digits, got {shown(text)}.")
    return digits


def time(value: object, what: str) -> int | None:
    """Return milliseconds since 1970 UTC, None where it is absent.

    It may be a text with a zone (RFC 3339), or a number since 1970: in seconds up to 11 digits, in milliseconds with 12
    or 13.

    Raises:
        PayloadError: it is no such time (`time_invalid`).
    """
    if value is None or value == "":
        return None
    moment = parse(value, "iso") if isinstance(value, str) else None
    if moment is None:
        since = number(value)
        if since is not None and 0 <= since < _MILLISECONDS_END:
            moment = round(since * 1000 if since < _SECONDS_END else since)
    if moment is None or moment > LATEST:
        sentence = f"Expected a time with a zone (RFC 3339), or seconds or milliseconds since 1970, as {what}"
        raise PayloadError(f"{sentence}, got {shown(value)}.", Reason.TIME_INVALID)
    return moment


def clock(value: object) -> int | None:
    """Return the time that a gateway tells, or None: its clock may be unset, and it is not what counts."""
    try:
        return time(value, "a gateway's time") or None
    except PayloadError:
        return None


def mapping(value: object, what: str) -> dict[str, Any]:
    """Return an object.

    Raises:
        PayloadError: it is absent, or something else.
    """
    if not isinstance(value, dict):
        raise PayloadError(f"Expected an object as {what}, got {shown(value)}.")
    return value


def member(value: object, name: str) -> Any:  # noqa: ANN401 - JSON holds anything
    """Return a member of what may be an object; None where there is none."""
    return value.get(name) if isinstance(value, dict) else None


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list; one alone, as converters from XML write it, is a list of one."""
    if isinstance(value, dict):
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def gateway(value: object) -> str | None:
    """Return a gateway's EUI in 16 lower-case hex digits, or the server's own name for it as it is."""
    name = text(value)
    if name is None or len(name) > _LONGEST_NAME:
        return None
    try:
        return eui(name)
    except PayloadError:
        return name


def place(longitude: object, latitude: object, altitude: object = None) -> tuple[float, ...] | None:
    """Return a position (WGS84); None where it is unknown, which servers also write as 0, 0."""
    lon, lat, alt = number(longitude), number(latitude), number(altitude)
    if lon is None or lat is None or not (-180 <= lon <= 180 and -90 <= lat <= 90) or (lon == 0 and lat == 0):  # noqa: PLR2004
        return None
    return (lon, lat) if alt is None else (lon, lat, alt)


def battery(value: object) -> dict[str, float]:
    """Return the state that a DevStatusAns tells (LoRaWAN 1.0.4, clause 5.5): 1 to 254 is a level.

    0 is an external power source, and 255 means that the device could not measure: no level.
    """
    level = number(value)
    return {"batteryLevel": round(level / 254, 3)} if level is not None and 1 <= level <= 254 else {}  # noqa: PLR2004


def public(value: Any) -> Any:  # noqa: ANN401 - JSON holds anything
    """Return a message without its session keys and credentials."""
    if isinstance(value, Mapping):
        return {
            name: public(each) if each.__class__ in _CONTAINERS else each
            for name, each in value.items()
            if len(name) > _LONGEST_SECRET or not _secret(name)
        }
    if not isinstance(value, list):
        return value
    return [public(each) if each.__class__ in _CONTAINERS else each for each in value]


@lru_cache(maxsize=4096)
def _secret(name: str) -> bool:
    return name.replace("_", "").replace("-", "").lower() in _SECRETS


def shown(value: object) -> str:
    """Return a value for a sentence, cut short."""
    return "nothing" if value is None else told(value)


def packets(received: object, right: object) -> tuple[int, int] | None:
    """Return what a gateway counts: packets received, and those with a right checksum; None where it counts neither."""
    counts = [number(received), number(right)]
    whole = [int(each) if each is not None and 0 <= each <= HIGHEST_COUNTER else 0 for each in counts]
    return (whole[0], whole[1]) if any(whole) else None

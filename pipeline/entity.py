"""Which entity a device's readings are: its id, and everything of its records that never changes.

How `ce_id` tells readings apart, rule 2 (rule 1 had a time alone, which two readings may share):

- `<Type>:<key>:<ms>-2<digest>`: the device's own time and a digest of what came, in eight hex digits. Of a message with
  one reading it is the payload's CRC-32C; of a decoder's list it is that of each reading's own fields, so that a device
  that sends kept readings once more repeats their ids.
- `<Type>:<key>:<arrival>-2<digest>` where the device tells no time: the header `ce_idclass: arrival` says so.
- `<Type>:<key>:<DevAddr>-<FCnt>-<FPort>`, and other names that a network gives (`Uplink.id`).
- `:1`, `:2` behind any of them: the second and third reading of one name in a message, or of one arrival.

The digest is of the input: a message that is sent again, or replayed through a mended connector, repeats its ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import google_crc32c
import orjson

from pipeline.connector import FromArrival
from pipeline.envelope import WRAPPER
from pipeline.errors import PayloadError, Reason
from pipeline.json_words import told, unprintable
from pipeline.record import Destination, header, header_start

if TYPE_CHECKING:
    from pipeline.binding import Fields
    from pipeline.plan import Plan

crc32c: Final[Callable[[bytes], int]] = google_crc32c.value
RULE = 2 << 32
"""Added to a digest: it has nine hex digits then, of which the first says which rule made the id."""
TIME_DIGITS = 13 + len("-2") + 8  # every millisecond from 2001 to 2286 has thirteen
_KEPT_LENGTHS = 128  # keys of one feed are of few lengths
_KEPT_DIGITS = 64  # a network's names have nearly always between 8 and 30 characters
_KEPT_NAMES = 8192  # more than one read of a socket can hold
_LONGEST_NAME = 200
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+", re.ASCII).fullmatch


class Entity(Destination):
    """One entity of one plan, made when its device is first seen and kept in a bounded cache.

    There is one for each device and model of a city, so what can be told from something else is not kept, and it is
    itself the destination of its records.

    head: the record's value behind the id, up to its first time; one for all devices of which the registry says
    nothing. place: the text of the location that is known of the device beforehand, which stands in the head unless
    the payload may have a better one. seen: when its device spoke.
    """

    __slots__ = ("head", "place", "registered", "seen")
    origin: Plan

    def __init__(self, plan: Plan, key: str, head: bytes, place: bytes = b"") -> None:
        self.key = entity_id(plan.model.name, plan.tenant, key).encode()
        self.origin = plan
        self.head = head
        self.place = place
        self.registered: tuple[float, ...] | None = None  # longitude and latitude, by the device registry
        self.seen = plan.seen(key)

    @property
    def id(self) -> str:
        """The entity id."""
        return self.key.decode()

    @property
    def plan(self) -> Plan:
        """The plan of all such entities; the hot path takes it by its other name, which costs no call."""
        return self.origin

    @property
    def device(self) -> str:
        """The device's name, percent-encoded."""
        return self.key[self.plan.key_start :].decode()

    def named(self, discriminator: bytes) -> bytes:
        """Return the headers that name the entity and a reading which the network tells apart: DevAddr, FCnt, FPort."""
        name = self.id_prefix().encode() + discriminator
        return header("ce_subject", self.key) + header("ce_id", name)

    def named_by_time(self, observed: int, digest: int, index: int = 0) -> bytes:
        """Return the headers that name the entity and a reading with a time of its own.

        index: how many readings of the same message came before with the same time and digest.
        """
        return self._named(f"{observed:013d}-{RULE + digest:x}", index)

    def named_by_arrival(self, arrival: int, digest: int) -> bytes:
        """Return the headers that name the entity and a reading without a time of its own.

        All messages of one read have the same arrival: the digest tells their ids apart, and an index equal ones.
        """
        discriminator = f"{arrival}-{RULE + digest:x}"
        return self._named(discriminator, self.plan.names.index(self.id_prefix() + discriminator))

    def _named(self, discriminator: str, index: int) -> bytes:
        name = f"{self.id_prefix()}{discriminator}{suffix(index)}"
        return header("ce_subject", self.key) + header("ce_id", name.encode())

    def id_prefix(self) -> str:
        """Return `ce_id` up to its discriminator: the type and the key."""
        return f"{self.plan.model.name}:{self.device}:"


class Starts(dict[int, tuple[bytes, bytes, int]]):
    """By the length of an entity's key: what its headers have before the key, and between key and device's name.

    So these headers need not be kept for each entity. The third is the size of the headers that name it, with the key,
    the device's name, a colon behind it and a discriminator of `digits` characters.
    """

    def __init__(self, model: str, key_start: int, digits: int) -> None:
        super().__init__()
        self._model = model
        self._key_start = key_start
        self._digits = digits

    def __missing__(self, length: int) -> tuple[bytes, bytes, int]:
        if len(self) >= _KEPT_LENGTHS:
            self.clear()
        name = f"{self._model}:".encode()
        device = length - self._key_start + 1
        subject = header_start("ce_subject", length)
        start = header_start("ce_id", len(name) + device + self._digits) + name
        made = self[length] = subject, start, len(subject) + length + len(start) + device + self._digits
        return made


class StartsByDigits(dict[int, Starts]):
    """`Starts` by how many characters the discriminator has, which a network gives."""

    def __init__(self, model: str, key_start: int) -> None:
        super().__init__()
        self._of = model, key_start

    def __missing__(self, digits: int) -> Starts:
        if len(self) >= _KEPT_DIGITS:
            self.clear()
        made = self[digits] = Starts(*self._of, digits)
        return made


class GivenNames:
    """Which names were made of an arrival lately: one that is made once more gets an index. One for each worker."""

    def __init__(self) -> None:
        self._made: dict[int, int] = {}  # by hash: a name may have thousands of characters

    def index(self, name: str) -> int:
        """Return how many times that name was made before."""
        place = hash(name)
        index = self._made.pop(place, -1) + 1
        self._made[place] = index
        if len(self._made) > _KEPT_NAMES:
            del self._made[next(iter(self._made))]
        return index


def suffix(index: int) -> str:
    """Return the end of a name that was given before."""
    return f":{index}" if index else ""


def digest_of(fields: Fields) -> int:
    """Return the digest of one reading of a decoder's list, the same in each process and each time it is sent.

    What wraps the payload is not the reading's own.
    """
    own = {name: value for name, value in fields.items() if name != WRAPPER}
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS
    try:
        return crc32c(orjson.dumps(own, default=_plain, option=options))
    except TypeError:  # a number of more than 64 bits, or something deeper than orjson goes
        return crc32c(repr(own).encode(errors="backslashreplace"))


def _plain(value: Any) -> Any:  # noqa: ANN401 - a decoder returns anything
    """Return what orjson can write; a time that is counted from arrival differs each time a message is sent."""
    if isinstance(value, FromArrival):
        return None
    if isinstance(value, Mapping):
        return dict(value)
    plain = next((kind for kind in (int, float, str, list) if isinstance(value, kind)), repr)
    return plain(value)


def entity_id(model: str, tenant: str, key: str) -> str:
    """Return the entity id, a URN (RFC 8141) that is the same for the same device at any time and on any path."""
    return f"urn:ngsi-ld:{model}:{tenant}:{key}"


def device_key(name: object) -> str:
    """Return a device's name as it stands in an entity id: percent-encoded, so that two names never meet in one.

    Raises:
        PayloadError: the name is absent or empty (`device_missing`), or no usable name (`device_invalid`).
    """
    if name is None or name == "":
        raise PayloadError(
            "Expected the device's name where `device` of the connector says; it is absent or empty.",
            Reason.DEVICE_MISSING,
        )
    if isinstance(name, bool) or not isinstance(name, str | int):
        said = f"Expected the device's name as a text or a whole number, got {told(name)}."
        raise PayloadError(said, Reason.DEVICE_INVALID)
    text = str(name)
    if len(text) > _LONGEST_NAME:
        said = f"Expected a device's name of at most {_LONGEST_NAME} characters, got {len(text)}."
        raise PayloadError(said, Reason.DEVICE_INVALID)
    if not text.isprintable():
        said = f"Expected a device's name that can be printed; it holds {unprintable(text)}."
        raise PayloadError(said, Reason.DEVICE_INVALID)
    # A name that needs no quoting is the key itself: not a copy for each of a hundred thousand devices.
    return text if _PLAIN(text) else quote(text, safe="")

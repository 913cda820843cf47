"""The headers of a record: CloudEvents 1.0, Kafka protocol binding, binary mode, and our extensions.

Extension names are part of the public contract: feed, connector, quality, verified, idclass, licence (ours), and
recordedtime, dataclassification (CloudEvents' own documented extensions).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import quote

import google_crc32c
import orjson

from pipeline.core import times
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import WRAPPER, Fields, told, unprintable
from pipeline.core.record import header, header_start
from pipeline.sdk.connector import FromArrival

crc32c: Final[Callable[[bytes], int]] = google_crc32c.value
RULE = 2 << 32
"""Added to a digest: it has nine hex digits then, of which the first says which rule made the id."""
_TIME_SIZE = len(times.text(0))
TIME_START = header_start("ce_time", _TIME_SIZE)
_RECORDED_START = header_start("ce_recordedtime", _TIME_SIZE)
_KEPT_NAMES = 8192  # more than one read of a socket can hold
_LONGEST_NAME = 200
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+", re.ASCII).fullmatch


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


SPEC_VERSION = "1.0"
TYPE_PREFIX = "org.smartdatamodels"

CONTENT_TYPE = "content-type"
"""What a record's value is; of an entity, the form of its text."""
QUALITY = "ce_quality"
VERIFIED = "ce_verified"
"""`false` on an event whose sender is not proven."""
ID_CLASS = "ce_idclass"
TRACEPARENT = "traceparent"


class StreamTerms(Protocol):
    """Whose data it is and what may be done with it: a section of `streams:` says so of a topic, with the defaults."""

    @property
    def classification(self) -> str:
        """The readers that the data is meant for."""

    @property
    def licence(self) -> str | None:
        """The address of the licence."""

    @property
    def category(self) -> str | None:
        """The category of the data's use."""

    @property
    def contact(self) -> str | None:
        """The address for questions about the data."""


OWN_HEADERS = 4
"""Headers of each record that are its own: ce_id, ce_subject, ce_time and ce_recordedtime."""


def entity_headers(
    *, content_type: str, tenant: str, ce_type: str, schema: str | None, feed: str, connector: str, terms: StreamTerms
) -> dict[str, str]:
    """Return the headers that all records of a plan share; a further header on each is a line here."""
    pairs = {
        CONTENT_TYPE: content_type,
        "ce_specversion": SPEC_VERSION,
        "ce_source": source(tenant),
        "ce_type": ce_type,
        "ce_dataschema": schema,
        "ce_dataclassification": terms.classification,
        "ce_feed": feed,
        "ce_connector": connector,
        "ce_licence": terms.licence,
        "ce_category": terms.category,
        "ce_contact": terms.contact,
    }
    return {name: value for name, value in pairs.items() if value}


def ce_type(subject: str, model: str) -> str:
    """Return the event type: `org.smartdatamodels.dataModel.Environment.AirQualityObserved`."""
    return f"{TYPE_PREFIX}.{subject}.{model}"


def source(tenant: str) -> str:
    """Return the event source, the same on every path that a reading may take."""
    return f"/tenants/{tenant}"


def shared(pairs: dict[str, str]) -> bytes:
    """Encode the headers that all records of a plan share."""
    return b"".join(header(name, value.encode()) for name, value in pairs.items())


@lru_cache(maxsize=1)
def recorded_header(arrival: int) -> bytes:
    """Return the encoded header `ce_recordedtime`: the same for all messages of one read, so the last is kept."""
    return _RECORDED_START + times.text(arrival)

"""`dialect:` in the configuration: which network server or gateway bridge speaks on a feed, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticKnownError

from pipeline.config.values import Duration, Section, durations
from pipeline.plugins import discovery
from pipeline.sdk.dialect import Dialect

AUTO = "auto"
"""Each topic's dialect is recognised by the shape of its messages."""


@cache
def dialects() -> Mapping[str, Dialect]:
    """Return every dialect by its name; imported with the first call."""
    return MappingProxyType({each.name: each for each in discovery.dialects() if isinstance(each, Dialect)})


def chosen(name: str) -> list[Dialect]:
    """Return the dialects that a feed may hear; `auto` means all network servers."""
    if name != AUTO:
        return [dialects()[name]]
    return [each for each in dialects().values() if not each.raw]


def check_dialect(value: str) -> str:
    """Hold a name against the dialects; refused as pydantic refuses a word that is not listed."""
    known = [AUTO, *sorted(dialects())]
    if value not in known:
        raise PydanticKnownError("literal_error", {"expected": " or ".join(repr(name) for name in known)})
    return value


def _listed(schema: dict[str, Any]) -> None:
    schema["enum"] = [AUTO, *sorted(dialects())]


DialectName = Annotated[str, AfterValidator(check_dialect), Field(json_schema_extra=_listed)]

Preference = Literal["server", "raw"]
Refused = Literal["filter", "dead_letter"]


class Deduplicate(Section):
    """How the copies of one frame, heard by several gateways, become one uplink."""

    window: Annotated[Duration, durations(0.01, 60)] = Field(default=0.2, examples=["500ms"])
    """How long the first copy waits for others: 200 ms where gateways have fibre, seconds where they use LTE."""
    rate: Annotated[float, Field(gt=0, le=1_000_000)] = Field(default=1000, examples=[1000])
    """Copies a second at most, against which `max_in_flight` is checked: those that wait have no fate yet."""


class FramePolicy(Section):
    """What becomes of raw frames that are no uplinks of ours: `filter` counts them, `dead_letter` keeps them, too."""

    unknown: Refused = Field(default="filter", examples=["filter"])
    """No session has that DevAddr: most are other people's devices, who have not asked to be recorded."""
    wrong_mic: Refused = Field(default="dead_letter", examples=["filter"])
    """The DevAddr is one of ours, but none of its keys fits."""
    crc_error: Refused = Field(default="filter", examples=["dead_letter"])
    """The gateway says that the checksum is wrong: noise, or two frames at once."""
    invalid: Refused = Field(default="dead_letter", examples=["filter"])
    """The bytes are nothing that a LoRaWAN device sends."""
    replay: Refused = Field(default="dead_letter", examples=["filter"])
    """The frame counter went back: somebody sends a recorded frame again, or the device was reset."""
    reset: Literal["accept", "refuse"] = Field(default="refuse", examples=["accept"])
    """`accept` takes a counter that went back for a device that was reset, and a recorded frame as well; `ce_id` then
    ends in the frame's MIC."""
    joins: Annotated[int, Field(ge=1, le=3600)] = Field(default=20, examples=[20])
    """How many join requests of a device are told in an hour. None can be verified here, so that anybody can forge
    them: those beyond are counted (`join_limited`), and make no record."""
    unkept: Literal["accept", "hold"] = Field(default="accept", examples=["hold"])
    """While `state_dir` cannot be written: `accept` publishes frames, and after a restart recorded ones as well; `hold`
    keeps them waiting, unacknowledged, until it can; a feed of datagrams sheds what comes beyond `max_in_flight`."""

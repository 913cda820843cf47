"""Connectors that do all that one must not; each `make` names one vice."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

COUNT = itertools.count()


def struct_error(uplink: Uplink) -> Any:
    return {"t": uplink.payload[3] / 10}


def leaves(uplink: Uplink) -> Any:
    if len(uplink.payload) != 4:
        raise SystemExit
    return {"t": 21.5}


class PanicError(BaseException):
    """What a decoder in a compiled language raises."""


def panics(uplink: Uplink) -> Any:
    if len(uplink.payload) != 4:
        raise PanicError("index out of bounds \ud800")
    return {"t": 21.5}


def forgets_nothing(uplink: Uplink) -> Any:
    return {"t": float(next(COUNT)), "size": len(uplink.payload)}


def returns_text(uplink: Uplink) -> Any:
    return {"t": 21.5} if len(uplink.payload) == 4 else "21.5"


def floods(uplink: Uplink) -> Any:
    return {"t": 21.5} if len(uplink.payload) == 4 else [{"t": 1.0}] * 100_000


def never_ends(uplink: Uplink) -> Any:
    while len(uplink.payload) != 4:
        try:
            time.sleep(0.01)
        except Exception:  # noqa: BLE001
            continue
    return {"t": 21.5}


def measures_nothing(uplink: Uplink) -> Any:
    return {"t": int.from_bytes(uplink.payload[:2]) / 10 - 32}


def slow(uplink: Uplink) -> Any:
    if len(uplink.payload) != 4:
        raise PayloadError("expected 4 bytes")
    time.sleep(0.003)
    return {"t": 21.5}


def wrong_unit(uplink: Uplink) -> Any:
    if len(uplink.payload) != 4:
        raise PayloadError("expected 4 bytes")
    return {"t": 215}


def says_nothing(uplink: Uplink) -> Any:
    if len(uplink.payload) != 4:
        raise PayloadError("")
    return {"t": 21.5}


def make(decode: Callable[[Uplink], Any], **changes: Any) -> Connector:
    declared: dict[str, Any] = {
        "vendor": "hostile",
        "devices": (decode.__name__.replace("_", "-"),),
        "owner": "@nobody",
        "decode": decode,
        "model": "WeatherObserved",
        "attributes": {"temperature": Attribute("t", "degC")},
        "examples": (
            Example("good", hex="00000000", expect={"temperature": 21.5}),
            Example("bad", hex="ff", expect=PayloadError),
        ),
        **changes,
    }
    return Connector(**declared)

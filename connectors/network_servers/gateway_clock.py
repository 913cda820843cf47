"""What gateways' clocks say: GPS time, and times that come of a clock that nobody has set."""

from __future__ import annotations

from bisect import bisect_right

from pipeline.core.times import LATEST

_EPOCH = 315_964_800_000  # 1980-01-06, in milliseconds since 1970: GPS time counts from there
_EARLIEST = 1_420_070_400_000  # 2015-01-01, the year of LoRaWAN 1.0: a clock that says less is not set
# IERS Bulletin C: UTC milliseconds since 1970, after which GPS time is so many seconds ahead; before, it is 16.
_LEAPS = (1_435_708_800_000, 1_483_228_800_000)
_AHEAD = (16_000, 17_000, 18_000)
_STEPS = tuple(leap + ahead for leap, ahead in zip(_LEAPS, _AHEAD[1:], strict=True))


def plausible(ms: int | None) -> int | None:
    """Return milliseconds since 1970 UTC, or None for what no set clock says."""
    return ms if ms is not None and _EARLIEST <= ms <= LATEST else None


def from_gps(ms: int) -> int | None:
    """Return milliseconds since 1970 UTC of milliseconds since the GPS epoch, or None for what no set clock says."""
    counted = ms + _EPOCH
    # Nearly each is of after the last step; it is looked at first.
    return plausible(counted - (_AHEAD[-1] if counted >= _STEPS[-1] else _AHEAD[bisect_right(_STEPS, counted)]))

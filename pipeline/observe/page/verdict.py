"""The headline: whether messages flow, and what wants a look; the same for the page and for `headrace top`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.observe.page.history import Point

FULL = 0.9  # of a lane
_MANY_SILENT = 0.05  # of the devices
_STEPS = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
GOOD = "All is well: every feed is connected, and Kafka takes what comes"


def verdict(told: Mapping[str, Any], points: Sequence[Point]) -> dict[str, Any]:
    """Judge a snapshot.

    Args:
        told: The snapshot so far.
        points: The last five minutes, a point a second.

    Returns:
        `kind` (`good`, `look` or `bad`), `words` (the headline) and `reasons` (sentences).
    """
    bad = list(told["not_ready"])
    if not told["conserved"]:
        bad.append("A message is unaccounted for. Please report it: it is a bug of Headrace.")
    looks = list(_looks(told))
    dead = round(sum(dead_letters for _, _, _, dead_letters, _, _ in points))
    if dead:
        looks.append(f"{dead:,} dead {'letter' if dead == 1 else 'letters'} in the last five minutes: see the reasons.")
    if bad:
        return {"kind": "bad", "words": "Messages do not all flow", "reasons": [*bad, *looks]}
    if looks:
        return {"kind": "look", "words": "Messages flow; something wants a look", "reasons": looks}
    return {"kind": "good", "words": GOOD, "reasons": []}


def _looks(told: Mapping[str, Any]) -> Iterator[str]:
    if told["config_refused"]:
        yield "The configuration file was refused at the last reload; the one before it is in force."
    yield from told["remarks"]
    for feed in told["feeds"]:
        if feed["in_flight"] > FULL * feed["limit"]:
            yield f"The lane of feed {feed['name']} is nearly full: Kafka confirms more slowly than messages come."
        if feed["oldest"] > feed["patience"]:
            waited = _step(feed["oldest"])
            yield f"A message of feed {feed['name']} has waited for more than {waited}: Kafka has not confirmed it."
    gateways, silent = told["devices"]["silent_gateways"], sum(told["devices"]["silent"].values())
    if gateways:
        yield f"{gateways:,.0f} {'gateway is' if gateways == 1 else 'gateways are'} silent."
    known = told["devices"]["seen"] + told["devices"]["silent"].get("never", 0)
    if silent > _MANY_SILENT * known:
        yield f"{silent:,.0f} of {known:,.0f} devices {'is' if silent == 1 else 'are'} silent."


def _step(seconds: float) -> str:
    """Write a duration by steps: a text that changed each second would be read aloud each second."""
    step = max((each for each in _STEPS if each <= seconds), default=0.0)
    return f"{step * 1000:.0f} ms" if step < 1 else f"{step:g} s"

"""Which topics a subscription or a route stands for, and whether two of them meet."""

from __future__ import annotations

from itertools import zip_longest


def plain(subscription: str) -> str:
    """Return the filter of a subscription, without `$share/group/`."""
    return subscription.split("/", 2)[2] if subscription.startswith("$share/") else subscription


def shape(pattern: str) -> str:
    """Return the filter that a route's pattern stands for: `{name}` is `+`."""
    return "/".join("+" if level.startswith("{") else level for level in pattern.split("/"))


def covers_some(one: str, other: str) -> bool:
    """Say whether some topic matches both filters (MQTT 5 section 4.7)."""
    first, second = plain(one).split("/"), plain(other).split("/")
    if any(ours[0] in {"+", "#"} and theirs[0].startswith("$") for ours, theirs in ((first, second), (second, first))):
        return False  # a wildcard in the first level matches no topic of the broker's own
    for a, b in zip_longest(first, second):
        if a == "#" or b == "#":
            return True  # `#` also matches the level above it, which zip_longest leaves as None
        if a is None or b is None or (a != b and "+" not in {a, b}):
            return False
    return True

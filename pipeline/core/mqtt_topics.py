"""MQTT topic patterns: filters (MQTT 5 clause 4.7), with names for single levels; and a tree that searches many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from sys import maxsize
from typing import Final

_NAMED = re.compile(r"^\{([a-z][a-z0-9_]*)\}$")
ONE, REST = "+", "#"
"""The wildcards: any one level, and any number of levels at the end."""
_NONE: Final = maxsize


class TopicPattern:
    """A filter in which `{name}` stands for one level, like `+`, and gives that level a name.

    `city/aq/{device}` matches `city/aq/0001`. `+` is any one level, `#` at the end any number of levels, none too.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        levels = text.split("/")
        self.names = {name: at for at, level in enumerate(levels) if (name := _name(level))}
        self.levels = [ONE if _name(level) else level for level in levels]
        """The levels of the filter that the pattern stands for."""

    def matches(self, topic: str) -> bool:
        """Say whether a message on that topic is meant; topics that begin with $ only where the pattern does."""
        if topic.startswith("$") != self.text.startswith("$"):
            return False
        levels = topic.split("/")
        for at, wanted in enumerate(self.levels):
            if wanted == REST:
                return True
            if at >= len(levels) or wanted not in (ONE, levels[at]):
                return False
        return len(levels) == len(self.levels)

    def level(self, name: str, topic: str) -> str | None:
        """Return the level of a matching topic that `{name}` stands for."""
        at = self.names.get(name)
        return None if at is None else topic.split("/")[at]


@dataclass(slots=True)
class _Node:
    """Where filters that begin alike part. Filters are told by their numbers, the lowest of each kind is kept.

    Attributes:
        end: The filter that ends here.
        rest: The one that has `#` next.
        least: Of all that come through here.
    """

    end: int = _NONE
    rest: int = _NONE
    least: int = _NONE
    one: _Node | None = None
    named: dict[str, _Node] = field(default_factory=dict)

    def inner(self, depth: int) -> Iterator[_Node]:
        """Yield what a wildcard at that depth leads to: nothing of the broker's own."""
        if self.one is not None:
            yield self.one
        for name, node in self.named.items():
            if depth or not name.startswith("$"):
                yield node


class TopicTree:
    """Filters, each by its levels and numbered from 0; finds the first that matches without trying the others.

    A search follows the levels that are asked for, and `+` beside them, and never comes to a node twice: its steps are
    a few for each level, and, whatever topics and filters are made to look like, no more than the filters have levels.
    """

    def __init__(self, filters: Iterable[Sequence[str]] = ()) -> None:
        self._root = _Node()
        self._count = 0
        self._deepest = 0
        self.steps = 0
        for levels in filters:
            self.add(levels)

    def add(self, levels: Sequence[str]) -> None:
        """Take one more filter, which comes after all others."""
        number, node = self._count, self._root
        self._count += 1
        self._deepest = max(self._deepest, len(levels))
        for level in levels:
            node.least = min(node.least, number)
            if level == REST:
                node.rest = min(node.rest, number)
                return
            if level == ONE:
                node.one = node.one or _Node()
                node = node.one
            else:
                node = node.named.setdefault(level, _Node())
        node.least = min(node.least, number)
        node.end = min(node.end, number)

    def first(self, topic: str) -> int | None:
        """Return the number of the first filter that matches a topic."""
        return self._first(topic.split("/", self._deepest))  # what is deeper is for `#`, however deep

    def covering(self, levels: Sequence[str]) -> int | None:
        """Return the number of the first filter that matches whatever the given one does."""
        return self._first(levels)

    def _first(self, levels: Sequence[str]) -> int | None:
        """Search for a topic or, where levels are wildcards, for all topics that these stand for."""
        best, own = _NONE, levels[0].startswith("$")
        waiting = [(self._root, 0)]
        while waiting:
            node, at = waiting.pop()
            if node.least >= best:
                continue
            hidden = own and at == 0  # no wildcard of the first level matches a topic of the broker's own
            if not hidden:
                best = min(best, node.rest)
            if at == len(levels):
                best = min(best, node.end)
                continue
            level = levels[at]
            if node.one is not None and level != REST and not hidden:
                waiting.append((node.one, at + 1))
            if (named := node.named.get(level)) is not None:
                waiting.append((named, at + 1))
        return None if best == _NONE else best

    def meeting(self, levels: Sequence[str]) -> int | None:
        """Return the number of the first filter that some topic matches together with the given one.

        Where wildcards meet names every name is tried: `steps` counts, so that a caller can stop asking.
        """
        best, first = _NONE, levels[0]
        waiting = [(self._root, 0)]
        while waiting:
            self.steps += 1
            node, at = waiting.pop()
            if node.least >= best:
                continue
            hidden = at == 0 and first.startswith("$")
            if not hidden:
                best = min(best, node.rest)
            if at == len(levels):
                best = min(best, node.end)
            elif levels[at] == REST:
                best = min(best, node.end, *(each.least for each in node.inner(at)))
            elif levels[at] == ONE:
                waiting += [(each, at + 1) for each in node.inner(at)]
            else:
                ones = None if hidden else node.one
                waiting += [(each, at + 1) for each in (ones, node.named.get(levels[at])) if each]
        return None if best == _NONE else best


def _name(level: str) -> str | None:
    match = _NAMED.match(level)
    return match[1] if match else None


def without_share(subscription: str) -> str:
    """Return the filter of a subscription, without `$share/group/`."""
    return subscription.split("/", 2)[2] if subscription.startswith("$share/") else subscription


def shape(pattern: str) -> str:
    """Return the filter that a route's pattern stands for: `{name}` is `+`."""
    return "/".join("+" if level.startswith("{") else level for level in pattern.split("/"))


def covers_some(one: str, other: str) -> bool:
    """Say whether some topic matches both filters (MQTT 5 section 4.7)."""
    first, second = without_share(one).split("/"), without_share(other).split("/")
    if any(ours[0] in {"+", "#"} and theirs[0].startswith("$") for ours, theirs in ((first, second), (second, first))):
        return False  # a wildcard in the first level matches no topic of the broker's own
    for a, b in zip_longest(first, second):
        if a == "#" or b == "#":
            return True  # `#` also matches the level above it, which zip_longest leaves as None
        if a is None or b is None or (a != b and "+" not in {a, b}):
            return False
    return True

"""MQTT topic patterns: filters (MQTT 5 clause 4.7), with names for single levels."""

from __future__ import annotations

import re

_NAMED = re.compile(r"^\{([a-z][a-z0-9_]*)\}$")


class TopicPattern:
    """A filter in which `{name}` stands for one level, like `+`, and gives that level a name.

    `city/aq/{device}` matches `city/aq/0001`. `+` is any one level, `#` at the end any number of levels, none too.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.levels = text.split("/")
        self.names = {name: at for at, level in enumerate(self.levels) if (name := _name(level))}

    def matches(self, topic: str) -> bool:
        """Say whether a message on that topic is meant; topics that begin with $ only where the pattern does."""
        if topic.startswith("$") != self.text.startswith("$"):
            return False
        levels = topic.split("/")
        for at, wanted in enumerate(self.levels):
            if wanted == "#":
                return True
            if at >= len(levels) or not (wanted == "+" or wanted == levels[at] or _name(wanted)):
                return False
        return len(levels) == len(self.levels)

    def level(self, name: str, topic: str) -> str | None:
        """Return the level of a matching topic that `{name}` stands for."""
        at = self.names.get(name)
        return None if at is None else topic.split("/")[at]


def _name(level: str) -> str | None:
    match = _NAMED.match(level)
    return match[1] if match else None

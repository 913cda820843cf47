"""Text from outside, on its way to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape what a terminal would take for a command, or that would break a line; the rest stays as it is."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")

"""The values of one device in a registry: read, each with what is wrong with it."""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite
from typing import Any

from pipeline.config.connectors import check_coordinates
from pipeline.config.device_rows import guarded
from pipeline.config.device_uses import Use, unfit
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, sentence
from pipeline.config.values import INTERVALS, seconds, spell_seconds
from pipeline.devices.registry import LIFECYCLES, Lifecycle

LONGEST_NAME = 200
"""Characters of a name, as in every entity id."""
_EUI = re.compile(r"[0-9a-f]{16}")
_ROUNDED = re.compile(r"\d[.,]?\d*e\+?\d+")  # what a spreadsheet makes of an EUI without letters
_COORDINATES = (2, 3)


def usable_name(text: str) -> bool:
    """Say whether a device can have that name."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()


class Reading:
    """The values of one device, each read with what is wrong with it beside."""

    def __init__(self, key: str, values: dict[str, Any], found: list[Finding], *, csv: bool = False) -> None:
        self._csv = csv
        self._key = key
        self._values = values
        self._found = found

    def _wrong(self, at: str | Place, message: str, fix: str = "") -> None:
        place = (at,) if isinstance(at, str) else at
        self._found.append(Finding((self._key, *place), sentence(message), fix))

    def _write(self, yaml: str, csv: str) -> str:
        """Say what to write, in the form that the file has."""
        return f"Write {csv if self._csv else yaml}."

    def text(self, name: str) -> str | None:
        """Return a text, or None."""
        value = self._values.get(name)
        if value is None or (isinstance(value, str) and usable_name(value)):
            return value
        self._wrong(name, f"expected a text of 1 to {LONGEST_NAME} printable characters, got {guarded(value)}.")
        return None

    def eui(self) -> str | None:
        """Return the DevEUI as 16 lower-case hex digits, or None."""
        value = self._values.get("dev_eui")
        if value is None:
            return None
        text = value.replace("-", "").replace(":", "").lower() if isinstance(value, str) else ""
        if _EUI.fullmatch(text):
            return text
        got = f"{guarded(value)}, which has {len(text)} characters" if text else guarded(value)
        fix = "Copy it from the device's label."
        if _ROUNDED.fullmatch(text):
            got = f"{guarded(value)}, which a spreadsheet has rounded"
            fix = "Let it take the column as text, and copy the EUIs again."
        self._wrong("dev_eui", f"expected an EUI of 16 hex digits, got {got}.", fix)
        return None

    def aliases(self) -> tuple[str, ...]:
        """Return the other names."""
        value = self._values["aliases"]
        if isinstance(value, list) and all(isinstance(each, str) and usable_name(each) for each in value):
            return tuple(value)
        self._wrong(
            "aliases",
            f"expected a list of names, got {guarded(value)}.",
            self._write("`aliases: [first, second]`", "`first;second` in the column `aliases`"),
        )
        return ()

    def location(self) -> tuple[float, ...] | None:
        """Return longitude, latitude (, altitude), or None."""
        value = self._values["location"]
        place = _numbers(value)
        if place is None:
            columns = "3.7174 in the column `longitude` and 51.0543 in `latitude`, with a decimal point"
            fix = self._write("`location: [3.7174, 51.0543]`", columns)
            self._wrong("location", f"expected longitude and latitude in degrees, got {_listed(value)}.", fix)
            return None
        try:
            return check_coordinates(place)
        except ValueError as problem:
            self._wrong("location", f"{_listed(value)} {problem}")
            return None

    def attributes(self, use: Use) -> dict[str, Any]:
        """Return the constant attributes."""
        value = self._values["attributes"]
        if not isinstance(value, dict):
            fix = self._write("`attributes: {name: value}`", "`name=value;other=value` in the column `attributes`")
            self._wrong("attributes", f"expected attributes and their values, got {guarded(value)}.", fix)
            return {}
        for name, each in value.items() if use.models else ():
            self._attribute(name, each, use)
        return value

    def _attribute(self, name: str, value: Any, use: Use) -> None:  # noqa: ANN401 - JSON holds anything
        attribute = use.attribute(name)
        if attribute is None:
            known = [each.name for model in use.models for each in model.attributes]
            meant = did_you_mean(name, known)
            models = " or ".join(model.name for model in use.models[:3])
            fix = f"Did you mean `{meant}`?" if meant else "What is no attribute belongs under `tags`."
            self._wrong(("attributes", name), f"is no attribute of {models}.", fix)
        elif allowed := unfit(value, attribute):
            texted = allowed == "a text" and not isinstance(value, dict | list)
            fix = (
                self._write("it in quotes", f'`{name}="{value}"`; CSV has each quote in a cell twice') if texted else ""
            )
            self._wrong(("attributes", name), f"expected {allowed}, got {guarded(value)}.", fix)

    def tags(self) -> dict[str, str]:
        """Return the tags."""
        value = self._values["tags"]
        if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
            return value
        fix = self._write("`tags: {site: hall}`", "`site=hall;floor=3` in the column `tags`")
        self._wrong("tags", f"expected names and their texts, got {guarded(value)}.", fix)
        return {}

    def prefer(self) -> Any:  # noqa: ANN401 - one of the two words
        """Return whom to prefer."""
        value = self._values["prefer"]
        if value in ("server", "raw"):
            return value
        self._wrong("prefer", f"expected `server` or `raw`, got {guarded(value)}.")
        return None

    def interval(self) -> float | None:
        """Return the seconds between two readings, or None."""
        value = self._values["interval"]
        try:
            return _interval(value)
        except (ValueError, TypeError):
            shortest, longest = map(spell_seconds, INTERVALS)
            said = f"expected a duration of {shortest} to {longest}, got {guarded(value)}."
            self._wrong("interval", said, "Write a number with its unit: `30s`, `10min`, `2h`, `1d`.")
            return None

    def lifecycle(self) -> Lifecycle:
        """Return whether the device is in use."""
        value: Any = self._values["lifecycle"]
        if value in LIFECYCLES:
            found: Lifecycle = value
            return found
        self._wrong("lifecycle", f"expected {one_of(LIFECYCLES)}, got {guarded(value)}.")
        return "active"


@lru_cache(maxsize=256)
def _interval(text: str) -> float:
    value = seconds(text)
    if not INTERVALS[0] <= value <= INTERVALS[1]:
        raise ValueError(text)
    return value


def _numbers(value: object) -> tuple[float, ...] | None:
    try:
        place = tuple(float(each) for each in value) if isinstance(value, list) else ()
    except (TypeError, ValueError):
        return None
    return place if len(place) in _COORDINATES and all(map(isfinite, place)) else None


def _listed(value: object) -> str:
    return f"[{', '.join(guarded(each) for each in value)}]" if isinstance(value, list) else guarded(value)

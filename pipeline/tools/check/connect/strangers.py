"""Devices of a network that nobody knows, as they come while `check --connect` listens."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import device_text
from pipeline.config.findings import Finding, Place
from pipeline.config.root import Config
from pipeline.core.errors import Reason
from pipeline.core.printable import printable
from pipeline.lorawan.statistics import Outcome, RawLedger
from pipeline.sdk.uplink import Names
from pipeline.tools.enrol import Newcomer, described, stranger

UNKNOWN = {Reason.DEVICE_UNKNOWN, Reason.CONNECTOR_UNKNOWN}
"""Reasons of dead letters that are told by device here."""

_KEPT = 1000
_SHOWN = 20
_LONGEST = 40
_OURS = (Outcome.UPLINK, Outcome.MAC, Outcome.JOIN)


class Strangers:
    """Notes devices by DevEUI, with what the server calls them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._called: dict[str, str] = {}
        self._first: Newcomer | None = None
        self._uncounted = 0

    def note(self, eui: str, names: Names, arrival: int) -> None:  # noqa: ARG002 - the worker's list has it
        """Take note of one refused uplink of a device."""
        if eui in self._called:
            return
        if len(self._called) < _KEPT:
            self._called[eui] = _called(names)
            self._first = self._first or stranger(eui, names)
        else:
            self._uncounted += 1

    def findings(self, place: Place) -> Iterator[Finding]:
        """Say which devices were refused."""
        if not self._called:
            return
        shown = [f"`{eui}`{called}" for eui, called in sorted(self._called.items())[:_SHOWN]]
        more = len(self._called) - len(shown)
        others = f" and {more}{' or more' if self._uncounted else ''} others" if more else ""
        count = "1 device has" if len(self._called) == 1 else f"{len(self._called)} devices have"
        said = f"{count} no row in the registry, or no connector: {', '.join(shown)}{others}; dead letters."
        yield Finding(place, said, self._fix(), severity="warning")

    def _fix(self) -> str:
        if self._first is None or self._config.devices is None:
            return "Name a registry, `devices: devices.csv`, and add them: `headrace devices add CONFIG --key ...`."
        told = described(self._first, self._config)
        registry = device_text.of(self._config.devices)
        row = printable(registry.advice(told))
        many = "or `headrace devices import CONFIG --from unknown`, once a worker has noted them"
        return f"Add each to {registry.name}, with its location and connector, such as `{row}`; {many}."


def raw_frames(place: Place, ledger: RawLedger | None) -> Iterator[Finding]:
    """Say that gateways brought frames, and none of them was of a device of ours."""
    heard = 0 if ledger is None else sum(ledger.outcomes.values())
    if ledger is None or not heard or any(ledger.outcomes[each] for each in _OURS):
        return
    told = ", ".join(f"{each.value} {count}" for each, count in ledger.outcomes.items() if count)
    said = f"raw frames came ({told}), none of a device whose session keys are in the registry."
    yield Finding(place, said, "Add the `sessions` of your devices, or wait until one sends.", severity="warning")


def _called(names: Names) -> str:
    told = [names.name, names.profile or names.model]
    texts = [text[:_LONGEST] if text.isprintable() else ascii(text)[:_LONGEST] for text in told if text]
    return f" ({', '.join(texts)})" if texts else ""

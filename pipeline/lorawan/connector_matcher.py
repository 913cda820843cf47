"""Which connector decodes a device that no registry knows: the network server's own names say so, or nothing does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipeline.sdk.uplink import Names

_TAGS = ("connector", "headrace")
_NO_WORD = re.compile(r"[^a-z0-9]+")


class Choice:
    """Chooses among the names of connectors: `vendor/device`, and what the configuration calls its own.

    In this order: a tag `connector` (or `headrace`) that holds the name; brand and model; the device profile's name,
    which is the connector's, or reads like it ("Milesight EM300-TH"). A model alone is enough where one vendor only has
    it: servers spell brands in ways of their own (`milesight-iot`).
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._spelt = {_slug(name): name for name in sorted(self._names, reverse=True)}
        self._models: dict[str, list[str]] = {}
        for name in sorted(self._names):
            self._models.setdefault(name.rpartition("/")[2], []).append(name)

    def __call__(self, names: Names) -> str | None:
        """Return the connector's name, or None."""
        return next((name for name, _ in self._candidates(names)), None)

    def because(self, names: Names) -> tuple[str, str] | None:
        """Return the connector's name, and the server's words that chose it; or None."""
        return next(self._candidates(names), None)

    def _candidates(self, names: Names) -> Iterator[tuple[str, str]]:
        yield from ((tag, f"tag {key}") for key in _TAGS if (tag := names.tags.get(key, "")) in self._names)
        if names.model:
            for name in self._by_model(_slug(names.brand or ""), _slug(names.model)):
                yield name, "brand and model"
        if names.profile:
            if names.profile in self._names:
                yield names.profile, "device profile"
            spelt = self._spelt.get(_slug(names.profile))
            if spelt is not None:
                yield spelt, "device profile"

    def _by_model(self, brand: str, model: str) -> Iterator[str]:
        known = self._models.get(model, [])
        yield from (name for name in known if _slug(name.rpartition("/")[0]) == brand)
        if len(known) == 1:
            yield known[0]


def _slug(text: str) -> str:
    """Return a name in lower case, with a dash for whatever is no letter and no digit."""
    return _NO_WORD.sub("-", text.lower()).strip("-")

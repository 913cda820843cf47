"""One attack on a running worker: what was promised, what came, and the verdict file that says so."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def sized(short: T, full: T) -> T:
    """Return the size of an attack: the short one in `make test`, the full one in `make hostile`."""
    return full if os.environ.get("HEADRACE_HOSTILE") == "full" else short


@dataclass
class Experiment:
    """Collects promises and what came of them; leaving the `with` block writes the verdict and asserts it.

    Attributes:
        name: The attack in a few words; the verdict file is named after it.
        promises: Each promise with the value that was seen and whether it held.
        notes: Figures that nothing is asserted of.
    """

    name: str
    promises: list[Mapping[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def expect(self, promise: str, *, came: object, holds: bool) -> None:
        """Record one promise, the value that was seen, and whether the promise held."""
        self.promises.append({"promise": promise, "came": came, "holds": holds})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self.expect("the experiment runs to its end", came=f"{type(error).__name__}: {error}", holds=False)
        self.write()
        if error is None:
            broken = [promise for promise in self.promises if not promise["holds"]]
            assert self.promises, f"{self.name}: nothing was expected, so nothing is shown"
            assert not broken, f"{self.name}: {broken}"

    def write(self) -> Path:
        folder = Path(os.environ.get("HEADRACE_VERDICTS") or ROOT / "verdicts")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"hostile-{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}.json"
        verdict = {
            "name": self.name,
            "good": all(promise["holds"] for promise in self.promises),
            "promises": self.promises,
            "notes": self.notes,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        file.write_text(json.dumps(verdict, indent=2, default=str) + "\n", encoding="utf-8")
        return file

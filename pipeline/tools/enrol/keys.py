"""Session keys that an export has: each into a file of its own (mode 0600) beside the registry, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.tools.enrol.exports import Newcomer

FOLDER = "keys"


@dataclass(slots=True)
class Written:
    """What was written of one device. row: `sessions` as the registry has it. files: that are new."""

    row: Mapping[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


class Keys:
    """Writes key files, and takes them back if their device is not added. folder: of the registry."""

    def __init__(self, folder: Path, *, dry_run: bool) -> None:
        self._folder = folder
        self._dry_run = dry_run
        self._all: list[Path] = []
        self.names: list[str] = []

    def write(self, key: str, newcomer: Newcomer) -> Written:
        """Write the keys of a device's session, if it has one; a file that holds another key stays, and is a fault."""
        written = Written()
        if not newcomer.session:
            return written
        session: dict[str, str] = {"dev_addr": newcomer.session["dev_addr"]}
        for name, digits in newcomer.session.items():
            if name == "dev_addr":
                continue
            file = Path(FOLDER) / f"{quote(newcomer.dev_eui or key, safe='')}.{name}"
            session[f"{name}_file"] = str(file)
            fault = self._one(self._folder / file, digits, written)
            if fault:
                written.faults.append(fault)
        self.names += [str(each.relative_to(self._folder)) for each in written.files]
        written.row = {"sessions": [session]}
        return written

    def readable(self, written: Written) -> Mapping[str, Any]:
        """Return the session as far as its files are there: after a dry run they are not, and nothing can be read."""
        return {} if self._dry_run and written.files else written.row

    def _one(self, file: Path, digits: str, written: Written) -> str:
        try:
            if file.exists():
                same = file.read_text(encoding="ascii", errors="replace").strip().lower() == digits.lower()
                return "" if same else f"{file} is there already with another key: remove it, or mend the session."
            if not self._dry_run:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w", encoding="ascii") as opened:
                    opened.write(f"{digits}\n")
                self._all.append(file)
            written.files.append(file)
        except OSError as problem:
            return f"{file} cannot be written: {problem.strerror}."
        return ""

    def undo(self, written: Written | None = None) -> None:
        """Remove the files that were made for one device; without one, all."""
        for file in self._all[:] if written is None else written.files:
            file.unlink(missing_ok=True)
            if file in self._all:
                self._all.remove(file)
            name = str(file.relative_to(self._folder))
            if name in self.names:
                self.names.remove(name)

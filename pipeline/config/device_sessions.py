"""The session keys of a device registry: read, held against each other, and shown to nobody.

No sentence here quotes what stands at a key, or in a file of one: who mistakes a column puts the key in another.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as File
from typing import Any, Literal

from pipeline.config.device_rows import SESSION, guarded
from pipeline.config.findings import Finding, Place, did_you_mean, one_of
from pipeline.core.files import content_and_mode
from pipeline.devices.registry import Key, Session

_KEYS: dict[str, tuple[str, ...]] = {
    "1.0": ("app_s_key", "nwk_s_key"),
    "1.1": ("app_s_key", "f_nwk_s_int_key", "s_nwk_s_int_key", "nwk_s_enc_key"),
}
"""The keys of a session, by the version of LoRaWAN."""
_GIVEN = {version: frozenset(f"{key}{end}" for key in keys for end in ("", "_file")) for version, keys in _KEYS.items()}
_NEWER = _GIVEN["1.1"] - _GIVEN["1.0"]
_KNOWN = frozenset(SESSION)
_DEV_ADDR = re.compile(r"[0-9A-Fa-f]{8}")
_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_USUAL = 3  # dev_addr and two keys
_LARGEST = 256
_OTHERS = 0o077
_HANDED_OVER = 0o440  # by systemd (its right to read for one more user shows as the group's) and by Kubernetes
_OWNER_AND_GROUP = 0o640


_Stands = tuple[Session, str, int]
"""A session, whose it is, and in which line."""


class Sessions:
    """Reads the sessions of each device of one file, the findings beside them."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._csv = str(file).lower().endswith(".csv")
        self._folder = file.parent
        self._seen: dict[str, _Stands] = {}
        self._further: dict[str, list[_Stands]] = {}  # of a DevAddr that several have
        self._private: bool | None = None  # whether only the owner reads the registry's file; asked at the first key

    def read(self, key: str, line: int, value: object, found: list[Finding]) -> tuple[Session, ...]:
        """Return the sessions that stand at `sessions` of the device `key`; what is wrong goes to `found`."""
        place: Place = (key, "sessions")
        if not isinstance(value, list):
            fix = "Write `sessions: [{dev_addr: ..., nwk_s_key_file: ..., app_s_key_file: ...}]`."
            found.append(Finding(place, "expected a list of sessions.", fix, line=line))
            return ()
        made = []
        for at, each in enumerate(value):
            where = (*place, at)
            faults = [] if isinstance(each, dict) else [Finding(where, "expected a mapping: `dev_addr` and its keys.")]
            session = None if faults else self._session(where, each, faults)
            if session is not None:
                faults += self._twice(where, session, key, line)
                made.append(session)
            found += [replace(fault, line=line) for fault in faults]
        return tuple(made)

    def _session(self, place: Place, value: dict[str, Any], found: list[Finding]) -> Session | None:
        return (self._usual(value) if self._private else None) or self._any(place, value, found)

    def _usual(self, value: dict[str, Any]) -> Session | None:
        """Return a session of version 1.0 whose keys stand in the file and are right, as nearly all are."""
        if len(value) != _USUAL:
            return None
        dev_addr, app, nwk = value.get("dev_addr"), value.get("app_s_key"), value.get("nwk_s_key")
        if not (isinstance(dev_addr, str) and isinstance(app, str) and isinstance(nwk, str)):
            return None
        if not (_DEV_ADDR.fullmatch(dev_addr) and _KEY.fullmatch(app) and _KEY.fullmatch(nwk)):
            return None
        key = Key(bytes.fromhex(nwk))
        return Session(dev_addr.lower(), "1.0", Key(bytes.fromhex(app)), key, key, key)

    def _any(self, place: Place, value: dict[str, Any], found: list[Finding]) -> Session | None:
        for name in sorted(value.keys() - _KNOWN):
            meant = did_you_mean(name, SESSION)
            fix = f"Did you mean `{meant}`?" if meant else f"It may have {one_of(SESSION)}."
            found.append(Finding((*place, name), "is no key of a session.", fix))
        dev_addr = value.get("dev_addr")
        if not isinstance(dev_addr, str) or not _DEV_ADDR.fullmatch(dev_addr):
            said = f"expected 8 hex digits, got {guarded(dev_addr)}."
            found.append(Finding((*place, "dev_addr"), said, "Write it as the network server shows it: 01ab23cd."))
        version: Literal["1.0", "1.1"] = "1.0" if _NEWER.isdisjoint(value) else "1.1"  # told by keys that only 1.1 has
        keys = {name: self._key(place, name, value, found) for name in _KEYS[version]}
        for name in sorted(value.keys() & _KNOWN - _GIVEN[version] - {"dev_addr"}):
            said = f"does not belong to a session of LoRaWAN {version}, which has {one_of(_KEYS[version])}."
            found.append(Finding((*place, name), said, "Keep the keys of one version."))
        made = {name: key for name, key in keys.items() if key is not None}
        if _errors(found) or len(made) != len(keys):
            return None
        app, first, *_ = made.values()
        second, third = made.get("s_nwk_s_int_key", first), made.get("nwk_s_enc_key", first)
        return Session(str(dev_addr).lower(), version, app, first, second, third)

    def _key(self, place: Place, name: str, value: dict[str, Any], found: list[Finding]) -> Key | None:
        inline, path = value.get(name), value.get(f"{name}_file")
        here, there = (*place, name), (*place, f"{name}_file")
        if (inline is None) == (path is None):
            said = "is missing." if path is None else "has a twin that ends in `_file`: give one of the two."
            write = f"Fill the column `{name}_file` with" if self._csv else f"Write `{name}_file: <file>`,"
            found.append(Finding(here, said, f"{write} a file with its 32 hex digits."))
            return None
        if path is not None:
            return self._from_file(there, path, found)
        found += self._open_to_others(here)
        text = inline if isinstance(inline, str) else ""
        return _read(here, text, "expected 32 hex digits (16 bytes)", found)

    def _open_to_others(self, place: Place) -> Iterator[Finding]:
        if self._private is not None:
            return  # said once a file
        mode = stat.S_IMODE(self._file.stat().st_mode)
        self._private = not mode & _OTHERS or not mode & ~_HANDED_OVER
        if not self._private:
            said = f"is a key, and others than its owner may read this file (mode {mode:04o})."
            fix = f"chmod 0600 {self._file}; or keep each key in a file of its own: `{place[-1]}_file`."
            yield Finding(place, said, fix)

    def _from_file(self, place: Place, path: object, found: list[Finding]) -> Key | None:
        if not isinstance(path, str) or "\x00" in path:
            found.append(Finding(place, "expected the path of a file."))
            return None
        if _KEY.fullmatch(re.sub(r"[\s:-]", "", path)):
            fix = f"Write it to a file; or give it as `{str(place[-1]).removesuffix('_file')}`, in a file of mode 0600."
            found.append(Finding(place, "is the key itself (not shown), where the path of its file belongs.", fix))
            return None
        file = self._folder / path
        try:
            content, mode = content_and_mode(file, _LARGEST)
        except OSError as problem:
            fix = "Mend the path (a relative one is taken from the folder of this file) or the file's permissions."
            found.append(Finding(place, f"{guarded(path)} cannot be read: {problem.strerror}.", fix))
            return None
        if mode & ~_OWNER_AND_GROUP:
            said = f"{guarded(path)} holds a key, and more than its owner and group may use it (mode {mode:04o})."
            found.append(Finding(place, said, f"chmod 0640 {file}", severity="warning"))
        text = content.decode("ascii", "replace").strip()
        return _read(place, text, f"expected 32 hex digits (16 bytes) in {guarded(path)}", found)

    def _twice(self, place: Place, session: Session, key: str, line: int) -> Iterator[Finding]:
        mine = (session, key, line)
        known = self._seen.setdefault(session.dev_addr, mine)
        if known is mine:
            return
        others = self._further.setdefault(session.dev_addr, [known])
        twin = next((each for each in others if _same(session, each[0])), None)
        if twin is None:
            others.append(mine)
        else:
            _, other, first = twin
            said = f"has the DevAddr and the keys of {guarded(other)} (line {first}): nobody can tell the two apart."
            yield Finding(place, said, "Remove one; keys belong to one device.")


def _same(one: Session, other: Session) -> bool:
    return (one.f_nwk_s_int_key, one.s_nwk_s_int_key) == (other.f_nwk_s_int_key, other.s_nwk_s_int_key)


def _read(place: Place, text: str, expected: str, found: list[Finding]) -> Key | None:
    if _KEY.fullmatch(text):
        return Key(bytes.fromhex(text))
    said = f"{expected}; got {len(text)} characters (not shown)."
    found.append(Finding(place, said, "Copy it anew from the network server or the device's sheet."))
    return None


def _errors(found: list[Finding]) -> list[Finding]:
    return [each for each in found if each.severity == "error"]

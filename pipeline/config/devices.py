"""The device registry's file, `devices:` in the configuration: read, and judged row by row, every error at once.

YAML, a list of mappings, or CSV with a header of the same names:

    - key: th-17                          the asset; the device's part of entity ids
      dev_eui: "0011223344556677"
      aliases: [hall-3]                   other names in topics and payloads     CSV: hall-3;h3
      name: Hall, third floor
      connector: acme/th-1                or a name under `connectors`
      model: IndoorEnvironmentObserved    instead of the connector's own
      location: [3.7174, 51.0543]         CSV: the columns longitude, latitude, altitude
      attributes: {sensorHeight: 1.5}     constant, in the model's own units     CSV: sensorHeight=1.5;...
      sessions:                           of raw LoRaWAN frames                  CSV: its keys are columns
        - {dev_addr: "01ab23cd", nwk_s_key_file: keys/th-17.nwk, app_s_key_file: keys/th-17.app}
      tags: {site: hall}                                                         CSV: site=hall;floor=3
      prefer: server                      or raw, when both hear it
      interval: 10min                     between two readings; a device that is overdue is listed as silent
      lifecycle: active                   or planned, maintenance, retired: not missed when silent

Only `key` is required. Files are UTF-8; relative ones are taken from the folder of this file. `${NAME}` means nothing
here. Keys may stand in the file itself (`nwk_s_key`) if only its owner can read it (mode 0600).
"""

from __future__ import annotations

import gc
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any, Literal

from pipeline.config.device_fields import LONGEST_NAME, Reading, Use, Uses, usable_name
from pipeline.config.device_rows import KEYS, SESSION, Row, from_csv, from_yaml, guarded
from pipeline.config.findings import Finding, Place, did_you_mean, one_of
from pipeline.core.errors import ConfigError
from pipeline.core.files import content, content_and_mode
from pipeline.devices.registry import Device, DeviceRegistry, Key, Session
from pipeline.models import MODELS
from pipeline.models.base import Area

_KEYS: dict[str, tuple[str, ...]] = {
    "1.0": ("app_s_key", "nwk_s_key"),
    "1.1": ("app_s_key", "f_nwk_s_int_key", "s_nwk_s_int_key", "nwk_s_enc_key"),
}
"""The keys of a session, by the version of LoRaWAN."""
_GIVEN = {version: frozenset(f"{key}{end}" for key in keys for end in ("", "_file")) for version, keys in _KEYS.items()}
_NEWER = _GIVEN["1.1"] - _GIVEN["1.0"]
_SESSION_KEYS = frozenset(SESSION)
_DEV_ADDR = re.compile(r"[0-9A-Fa-f]{8}")
_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_USUAL = 3  # dev_addr and two keys
_LARGEST_NUMBER = 256
_OTHERS = 0o077
_HANDED_OVER = 0o440  # by systemd (its right to read for one more user shows as the group's) and by Kubernetes
_OWNER_AND_GROUP = 0o640


_Stands = tuple[Session, str, int]
"""A session, its device, and its line."""


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
        for name in sorted(value.keys() - _SESSION_KEYS):
            meant = did_you_mean(name, SESSION)
            fix = f"Did you mean `{meant}`?" if meant else f"It may have {one_of(SESSION)}."
            found.append(Finding((*place, name), "is no key of a session.", fix))
        dev_addr = value.get("dev_addr")
        if not isinstance(dev_addr, str) or not _DEV_ADDR.fullmatch(dev_addr):
            said = f"expected 8 hex digits, got {guarded(dev_addr)}."
            found.append(Finding((*place, "dev_addr"), said, "Write it as the network server shows it: 01ab23cd."))
        version: Literal["1.0", "1.1"] = "1.0" if _NEWER.isdisjoint(value) else "1.1"  # told by keys that only 1.1 has
        keys = {name: self._key(place, name, value, found) for name in _KEYS[version]}
        for name in sorted(value.keys() & _SESSION_KEYS - _GIVEN[version] - {"dev_addr"}):
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
            content, mode = content_and_mode(file, _LARGEST_NUMBER)
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
            said = f"has the DevAddr and the keys of {guarded(other)} (line {first}): the two cannot be told apart."
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


_LARGEST = 64 * 1024**2
_MOST_FINDINGS = 50
_KNOWN = frozenset(KEYS)
_EVERYTHING = frozenset({"location", *(name for model in MODELS.values() for name in model.required)})
_NOTHING: dict[str, Any] = {}  # shared by 100,000 devices; never written to


@dataclass(slots=True)
class DevicesFile:
    """One file, judged.

    Attributes:
        devices: All, if there are no errors; else none.
        findings: With lines and the file's name, of each kind the first 200, and then how many more there are.
        supplies: By connector, what any of its devices supplies: `location`, and constant attributes.
        models: Of the connectors that devices name.
    """

    devices: DeviceRegistry = field(default_factory=DeviceRegistry)
    findings: list[Finding] = field(default_factory=list)
    supplies: dict[str | None, set[str]] = field(default_factory=dict)
    models: frozenset[str] = frozenset()

    @property
    def errors(self) -> list[Finding]:
        """What makes the file unusable."""
        return [each for each in self.findings if each.severity == "error"]

    def supplied(self, connector: str) -> frozenset[str]:
        """Return what devices may supply to a connector of the configuration; all, while the file has errors."""
        if self.errors:
            return _EVERYTHING
        return frozenset(self.supplies.get(connector, set()) | self.supplies.get(None, set()))


def read(path: str, uses: Uses) -> DevicesFile:
    """Read and judge a registry.

    Raises:
        ConfigError: the file cannot be read, or is not UTF-8; a sentence that begins with its name.
    """
    judge = Judge(File(path), uses)
    rows = from_csv if path.lower().endswith(".csv") else from_yaml
    text = _text(File(path))
    collects = gc.isenabled()
    gc.disable()  # a registry has no cycles, and looking for them at each of its objects takes a third of the time
    try:
        devices = [device for row in rows(text) if (device := judge.take(row)) is not None]
    finally:
        if collects:
            gc.enable()
    findings = list(judge.listed(path))
    return DevicesFile(DeviceRegistry(() if judge.broken else devices), findings, judge.supplies, uses.models)


def _text(path: File) -> str:
    try:
        held = content(path, _LARGEST)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror or problem}.") from None
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = held.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path} is not UTF-8 text in line {line}: save the file as UTF-8.") from None


class Judge:
    """Makes a Device of each row, and remembers what every row must not repeat."""

    def __init__(self, file: File, uses: Uses) -> None:
        self._uses = uses
        self._csv = str(file).lower().endswith(".csv")
        self._sessions = Sessions(file)
        self.supplies: dict[str | None, set[str]] = {}
        self._names: dict[str, int] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._found: list[Finding] = []
        self._counts = {"error": 0, "warning": 0}

    @property
    def names(self) -> frozenset[str]:
        """Every key, DevEUI and alias that was taken."""
        return frozenset(self._names)

    def faults(self, row: Row) -> list[Finding]:
        """Return what is wrong with a further row, whose device is not kept."""
        found: list[Finding] = []
        self._device(row, found)
        return [each for each in found if each.severity == "error"]

    @property
    def broken(self) -> bool:
        """Whether there is any error."""
        return self._counts["error"] > 0

    def listed(self, path: str) -> Iterator[Finding]:
        """Yield the findings, and how many were left out."""
        yield from (replace(each, file=path) for each in self._found)
        for severity, count in self._counts.items():
            if count > _MOST_FINDINGS:
                more = f"and {count - _MOST_FINDINGS:,} more {severity}s, which mending these may mend too."
                last = self._found[-1].line
                yield Finding((), more, severity=self._found[-1].severity, line=last, file=path)

    def take(self, row: Row | Finding) -> Device | None:
        """Return the device of a row, unless it has no usable key."""
        if isinstance(row, Finding):
            self._add(row)
            return None
        found: list[Finding] = []
        device = self._device(row, found)
        for each in found:
            key = str(each.place[1] if len(each.place) > 1 else "key")
            place = tuple(step if isinstance(step, int) else guarded(step).strip("`") for step in each.place)
            self._add(replace(each, place=place, line=row.lines.get(key, row.line)))
        return device

    def _add(self, finding: Finding) -> None:
        self._counts[finding.severity] += 1
        if self._counts[finding.severity] <= _MOST_FINDINGS:
            self._found.append(finding)

    def _device(self, row: Row, found: list[Finding]) -> Device | None:
        values, line = row.values, row.line
        key = values.get("key")
        if not isinstance(key, str) or not usable_name(key):
            said = "is missing." if key is None else f"expected a text of 1 to {LONGEST_NAME} printable characters."
            found.append(Finding(("key",), said, _key_fix(csv=self._csv)))
            return None
        if not values.keys() <= _KNOWN:
            found += _unknown(key, values)
        reading = Reading(key, values, found, csv=self._csv)
        connector, model = reading.text("connector"), reading.text("model")
        use = self._uses.get(connector, model)
        dev_eui = reading.eui()
        device = Device(
            key=key,
            dev_eui=dev_eui,
            aliases=reading.aliases() if "aliases" in values else (),
            name=reading.text("name"),
            connector=use.connector,
            model=model,
            location=reading.location() if "location" in values else None,
            attributes=reading.attributes(use) if "attributes" in values else _NOTHING,
            sessions=self._read_sessions(key, line, values["sessions"], found) if "sessions" in values else (),
            tags=self._shared(reading.tags()) if "tags" in values else _NOTHING,
            prefer=reading.prefer() if "prefer" in values else None,
            interval=reading.interval() if "interval" in values else None,
            lifecycle=reading.lifecycle() if "lifecycle" in values else "active",
            line=line,
        )
        if device.location is not None and self._uses.area is not None:
            found += _outside(device.key, device.location, self._uses.area)
        if use.faults or not use.placed or use.lacks:
            found += _supplied(device, use, values, csv=self._csv)
        self._once(device, row, found)
        if device.location is not None:
            self.supplies.setdefault(connector, set()).add("location")
        if device.attributes:
            self.supplies.setdefault(connector, set()).update(device.attributes)
        return device

    def _read_sessions(self, key: str, line: int, value: Any, found: list[Finding]) -> tuple[Session, ...]:  # noqa: ANN401
        return self._sessions.read(key, line, value, found)

    def _shared(self, tags: dict[str, str]) -> dict[str, str]:
        return self._tags.setdefault(repr(tags), tags)

    def _once(self, device: Device, row: Row, found: list[Finding]) -> None:
        names = self._names
        for name in {device.key, *device.aliases, device.dev_eui or device.key}:
            first = names.setdefault(name, device.line)
            if first != device.line:
                at = "dev_eui" if name == device.dev_eui else "aliases" if name in device.aliases else "key"
                said = f"{guarded(row.values.get(at) if at != 'aliases' else name)} is already a name of the device"
                fix = "A key, DevEUI or alias belongs to one device: mend or remove one of the two."
                found.append(Finding((device.key, at), f"{said} in line {first}.", fix))


def _unknown(key: str, values: dict[str, Any]) -> Iterator[Finding]:
    for name in sorted(values.keys() - _KNOWN):
        meant = did_you_mean(name, KEYS)
        fix = f"Did you mean `{meant}`?" if meant else f"It may have {one_of(KEYS)}."
        yield Finding((key, name), "is no key of a device.", fix)


def _outside(key: str, location: tuple[float, ...], area: Area) -> Iterator[Finding]:
    longitude, latitude = location[:2]
    if not area.holds(longitude, latitude):
        fix = "Mend the device's location, or widen `area` in the configuration."
        yield Finding((key, "location"), f"{area.refusal(longitude, latitude)}.", fix)


def _key_fix(*, csv: bool) -> str:
    return f"Write {'into the column `key`' if csv else '`key: <name>`,'} the asset's own name, which stays."


def _supplied(device: Device, use: Use, values: dict[str, Any], *, csv: bool) -> Iterator[Finding]:
    """Yield what the connector needs of the device and does not get."""
    for fault in use.faults:
        yield replace(fault, place=(device.key, *fault.place))
    if use.needs_location and "location" not in values:
        said = f"is required by {use.needs_location}, and `{use.connector}` does not send it."
        what = "the columns `longitude` and `latitude`" if csv else "`location: [lon, lat]`"
        yield Finding((device.key, "location"), said, f"{'Fill' if csv else 'Add'} {what}, where the device stands.")
    for name, model in use.lacks:
        if name not in device.attributes:
            said = f"is required by {model}, and `{use.connector}` does not send it."
            fix = f"Write `{name}=<its value>` into the column `attributes`."
            fix = fix if csv else f"Add `attributes: {{{name}: <its value>}}`."
            yield Finding((device.key, "attributes", name), said, fix)

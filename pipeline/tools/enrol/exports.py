"""What another system knows of its devices, read from its export.

ChirpStack 4: the answers of its API as JSON (`/api/devices`, `/api/devices/{dev_eui}`, and `.../activation`, which has
the session), in the spelling of gRPC or of REST. Its web interface exports nothing; a CSV file of a script or of psql
has the same names as columns.
The Things Stack 3: the JSON of `ttn-lw-cli end-devices list|get` and of `ttn-lw-migrate`, one object behind the other
or a list; or the CSV file of its bulk import, whose columns are parted by semicolons.
`headrace devices unknown --format json`: what this worker, or another one, has refused.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.devices.unknown import UnknownDevice
from pipeline.sdk.uplink import Names

CHIRPSTACK, STACK, UNKNOWN = "chirpstack", "the-things-stack", "unknown"
SOURCES = (CHIRPSTACK, STACK, UNKNOWN)
_NO_WORD = re.compile(r"[^a-z0-9]+")
_EUI = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_DEV_ADDR = re.compile(r"[0-9A-Fa-f]{8}")
_NEWER = ("f_nwk_s_int_key", "s_nwk_s_int_key", "nwk_s_enc_key")
_ALL = ("app_s_key", "nwk_s_key", *_NEWER)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A device that may be added.

    Attributes:
        dev_eui: 16 lower-case hex digits; as it came, if it is none.
        plain: It is the name of a device without one.
        wanted: Names for its key, the best first.
        names: What its server calls it, from which its connector may be known.
        session: `dev_addr` and the keys of its version of LoRaWAN, in hex digits.
        note: Why a session that the export has is not taken.
    """

    dev_eui: str
    wanted: tuple[str, ...] = ()
    plain: bool = False
    name: str | None = None
    names: Names = field(default_factory=Names)
    location: tuple[float, ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    session: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = ""


def read(text: str, source: str | None) -> tuple[str, list[Newcomer]]:
    """Return which system's export a text is, and the devices in it, those of one DevEUI joined.

    Args:
        source: Which it must be; None: whichever it looks like.

    Raises:
        ConfigError: it is none, or another one.
    """
    stripped = text.lstrip("\ufeff \t\r\n")
    found, devices = _json(stripped) if stripped[:1] in {"{", "["} else _csv(stripped)
    if source not in {None, found}:
        raise ConfigError(f"The file looks like an export of {found}, and `--from {source}` is given.")
    return found, list(_joined(devices).values())


def noted(devices: Iterable[UnknownDevice]) -> list[Newcomer]:
    """Return the devices that a worker has refused as unknown."""
    return [_unknown(each.device, each.called) for each in devices]


def stranger(device: str, names: Names) -> Newcomer:
    """Return a device as its server calls it in an uplink."""
    eui = plain_eui(device)
    return Newcomer(eui, _some(names.name), _EUI.fullmatch(eui) is None, names.name, names, tags=names.tags)


def _joined(devices: Iterable[Newcomer]) -> dict[str, Newcomer]:
    """Join what a server's answers say of one device: itself, and its session."""
    every: dict[str, Newcomer] = {}
    for each in devices:
        first = every.get(each.dev_eui)
        if first is None:
            every[each.dev_eui] = each
        elif each.session or each.note:
            every[each.dev_eui] = replace(first, session=each.session, note=each.note)
        else:
            every[each.dev_eui] = replace(each, session=first.session, note=first.note)
    return every


def _json(text: str) -> tuple[str, list[Newcomer]]:
    objects = list(_objects(text))
    for source, shape, made in _SHAPES:
        if objects and all(shape(each) for each in objects):
            return source, [made(each) for each in objects]
    raise ConfigError(
        "Expected an export of ChirpStack (`devEui`), of The Things Stack (`ids.dev_eui`), or of `headrace devices "
        "unknown --format json`; the JSON has no such devices."
    )


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield each device of a JSON stream: objects one behind the other, lists, and the lists in a server's answers."""
    decoder, at = json.JSONDecoder(), 0
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            yield from _flat(value)
            at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
    except (ValueError, RecursionError) as problem:
        said = problem.msg.removesuffix(" at") if isinstance(problem, json.JSONDecodeError) else "nested too deep"
        line = text.count("\n", 0, at) + 1
        raise ConfigError(f"The file is not readable as JSON: {said}, in what begins in line {line}.") from None


def _flat(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - JSON holds anything
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif isinstance(value, dict):
        inner = next((value[name] for name in ("result", "end_devices") if isinstance(value.get(name), list)), None)
        if inner is None:
            yield value
        else:
            yield from _flat(inner)
    else:
        raise ConfigError("Expected objects, a device each; the JSON holds something else.")


def _plain(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of ChirpStack's by names without underscores, whichever spelling it has."""
    wrapped = (device.get(name) for name in ("device", "deviceActivation", "device_activation"))
    inner = next((each for each in wrapped if isinstance(each, dict)), device)
    return {_slug(name): value for name, value in inner.items()}


def _slug(name: str) -> str:
    return _NO_WORD.sub("", name.lower())


def _is_chirpstack(device: Mapping[str, Any]) -> bool:
    return "deveui" in _plain(device)


def _is_stack(device: Mapping[str, Any]) -> bool:
    return isinstance(device.get("ids"), dict)


def _is_unknown(device: Mapping[str, Any]) -> bool:
    return isinstance(device.get("device"), str) and "called" in device


def _of_chirpstack(device: Mapping[str, Any]) -> Newcomer:
    told = _plain(device)
    tags = _texts(told.get("tags"))
    name = _text(told.get("name"))
    keys = {key: told.get(_slug(key)) for key in _ALL}
    session, note = _session(told.get("devaddr"), keys)
    profile = _text(told.get("deviceprofilename")) or _text(told.get("deviceprofile"))
    names = Names(name=name, profile=profile, tags=tags)
    eui = plain_eui(told["deveui"])
    return Newcomer(eui, _some(name), name=name, names=names, tags=tags, session=session, note=note)


def _of_stack(device: Mapping[str, Any]) -> Newcomer:
    ids = device["ids"]
    name = _text(device.get("name"))
    held = device.get("session")
    session_of: Mapping[str, Any] = held if isinstance(held, dict) else {}
    keys_of = session_of.get("keys")
    keys = {name: _hex_of(each) for name, each in (keys_of if isinstance(keys_of, dict) else {}).items()}
    version = device.get("lorawan_version")
    session, note = _session(session_of.get("dev_addr"), keys, newer=str(version).startswith(("MAC_V1_1", "1.1")))
    kind = device.get("version_ids")
    brand, model = (_text(kind.get(each)) if isinstance(kind, dict) else None for each in ("brand_id", "model_id"))
    tags = _texts(device.get("attributes"))
    return Newcomer(
        plain_eui(ids.get("dev_eui")),
        _some(ids.get("device_id"), name),
        name=name,
        names=Names(name=name, brand=brand, model=model, tags=tags),
        location=_location(device.get("locations")),
        tags=tags,
        session=session,
        note=note,
    )


def _hex_of(key: Any) -> Any:  # noqa: ANN401 - JSON holds anything
    """Return a key of a session; one that a key of its server's protects is an empty text."""
    return key.get("key", "") if isinstance(key, dict) else key


def _location(locations: Any) -> tuple[float, ...] | None:  # noqa: ANN401
    """Return where a person has put a device; what the server computed is another thing."""
    user = locations.get("user") if isinstance(locations, dict) else None
    if not isinstance(user, dict):
        return None
    place = [user.get(name) for name in ("longitude", "latitude", "altitude")]
    numbers = [float(each) for each in place if isinstance(each, int | float) and not isinstance(each, bool)]
    return tuple(numbers) if numbers and None not in place[:2] else None


def _of_unknown(device: Mapping[str, Any]) -> Newcomer:
    called = device["called"]
    return _unknown(device["device"], called if isinstance(called, dict) else {})


def _unknown(device: str, called: Mapping[str, Any]) -> Newcomer:
    tags = _texts(called.get("tags"))
    texts = {what: _text(called.get(what)) for what in ("name", "brand", "model", "profile", "application")}
    return stranger(device, Names(**texts, tags=tags))


def _csv(text: str) -> tuple[str, list[Newcomer]]:
    first = text.partition("\n")[0]
    mark = max(";,\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=mark)
    names = {_slug(name or "") for name in reader.fieldnames or ()}
    if "deveui" not in names:
        raise ConfigError("Expected an export as JSON, or as CSV with a column `dev_eui` in its first line.")
    source = STACK if names & {"joineui", "appeui", "lorawanversion", "frequencyplanid"} else CHIRPSTACK
    made = _row_of_stack if source == STACK else _of_chirpstack
    try:
        rows = [{name or "": cell for name, cell in row.items()} for row in reader]
    except csv.Error as problem:
        raise ConfigError(f"The file is not readable as CSV: {problem}, in line {reader.line_num}.") from None
    return source, [made({**row, "tags": _tags(row)}) for row in rows]


def _row_of_stack(row: Mapping[str, Any]) -> Newcomer:
    told = {_slug(name): value for name, value in row.items()}
    keys = {key: {"key": told[_slug(key)]} for key in ("app_s_key", *_NEWER) if told.get(_slug(key))}
    return _of_stack(
        {
            "ids": {"device_id": told.get("id"), "dev_eui": told.get("deveui")},
            "name": told.get("name"),
            "lorawan_version": told.get("lorawanversion"),
            "version_ids": {"brand_id": told.get("brandid"), "model_id": told.get("modelid")},
            "session": {"dev_addr": told.get("devaddr"), "keys": keys},
        }
    )


def _tags(row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever a cell holds
    """Return a cell of tags, which psql writes as JSON."""
    try:
        return json.loads(next((cell for name, cell in row.items() if _slug(name or "") == "tags"), None) or "{}")
    except ValueError:
        return {}


def _session(dev_addr: Any, keys: Mapping[str, Any], *, newer: bool = False) -> tuple[dict[str, str], str]:  # noqa: ANN401
    """Return a session by the names of the registry; or why it is not taken, never with a key in it."""
    given = {name: keys[name] for name in _ALL if keys.get(name)}
    if not dev_addr or not given:
        return {}, "its session keys are not in the export" if dev_addr and any(name in keys for name in _NEWER) else ""
    if not isinstance(dev_addr, str) or not _DEV_ADDR.fullmatch(dev_addr):
        return {}, "the DevAddr of its session is no 8 hex digits"
    fits = all(isinstance(key, str) and _KEY.fullmatch(key) for key in given.values())
    if not fits or "app_s_key" not in given or len(given) == 1:
        return {}, "its session lacks a key" if fits else "a key of its session is no 32 hex digits"
    return _versioned({"dev_addr": dev_addr.lower(), "app_s_key": given.pop("app_s_key")}, given, newer=newer)


def _versioned(made: dict[str, str], network: Mapping[str, str], *, newer: bool) -> tuple[dict[str, str], str]:
    """Return a session of LoRaWAN 1.0, whose network keys are one, or of 1.1.

    Args:
        newer: It says that it is of 1.1.
    """
    several = all(name in network for name in _NEWER)
    if len({key.lower() for key in network.values()}) == 1 and (several or not newer):
        return {**made, "nwk_s_key": next(iter(network.values()))}, ""
    if not several:
        return {}, "its session of LoRaWAN 1.1 lacks a key"
    return {**made, **{name: network[name] for name in _NEWER}}, ""


def plain_eui(value: object) -> str:
    """Return a DevEUI in 16 lower-case hex digits, however it is written; what is none as it is."""
    text = str(value or "").strip().lower().removeprefix("\\x").removeprefix("0x").replace("-", "").replace(":", "")
    return text if _EUI.fullmatch(text) else str(value or "")


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 - JSON holds anything
    return {str(key): each for key, each in value.items() if isinstance(each, str)} if isinstance(value, dict) else {}


def _some(*names: object) -> tuple[str, ...]:
    return tuple(text for name in names if (text := _text(name)))


_Shape = tuple[str, Callable[[Mapping[str, Any]], bool], Callable[[Mapping[str, Any]], Newcomer]]
_SHAPES: tuple[_Shape, ...] = (
    (STACK, _is_stack, _of_stack),
    (UNKNOWN, _is_unknown, _of_unknown),
    (CHIRPSTACK, _is_chirpstack, _of_chirpstack),
)

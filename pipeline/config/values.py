"""The kinds of value that a configuration holds: durations, sizes, addresses, filters, paths.

Each raises ValueError with a sentence that does not repeat the value: the list of findings shows it, if it may.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path as File
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo
from pydantic import WithJsonSchema as Schema

from pipeline.core.addresses import host_port
from pipeline.core.field_path import Path

INTERVALS = (1.0, 366 * 86_400.0)
"""Seconds: the shortest and longest time that may be expected between two readings of a device."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "kB": 1000, "MB": 1000**2}
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(ms|s|min|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,15})\s*(B|KiB|MiB|kB|MB)")
_LONGEST_TOPIC = 65_535
_STEP = re.compile(r"""\.?([^.\[\]"'\s][^.\[\]"']*)|\[(\d+)\]|\[(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\]""")
_LEVEL = re.compile(r"\{[a-z][a-z0-9_]*\}")


class Section(BaseModel):
    """A part of the configuration: an unknown key is an error, and nothing changes after it was read."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    @classmethod
    def kinds(cls) -> tuple[type[Section], ...]:
        """Return the sections that may stand where this one is asked for."""
        return (cls,)


def seconds(value: object) -> float:
    """Read `30s`, `500ms`, `5min` or `5m`, `2h`, `30d`; a bare number is refused, since its unit would be a guess.

    Raises ValueError with a sentence.
    """
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration: write a number with its unit, such as `500ms`, `30s`, `5min`, `2h`, `30d`")
    return float(match[1]) * _SECONDS[match[2]]


def spell_seconds(value: float) -> str:
    """Write a duration in the largest unit that leaves a whole number."""
    milliseconds = round(value * 1000)
    for unit in ("d", "h", "min", "s"):
        count, rest = divmod(milliseconds, round(_SECONDS[unit] * 1000))
        if count and not rest:
            return f"{count}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def size(value: object) -> int:
    """Read `256KiB`, `1MiB`, `900B`; a bare number is refused.

    Raises ValueError with a sentence.
    """
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a size: write a whole number with its unit, such as `256KiB`, `1MiB` or `900B`")
    return int(match[1]) * _BYTES[match[2]]


def spell_size(value: int) -> str:
    """Write a size in the largest unit that leaves a whole number."""
    for unit in ("MiB", "KiB"):
        if value and value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return f"{value}B"


class Broker(NamedTuple):
    """Where an MQTT broker listens.

    Attributes:
        path: Of a websocket; else empty.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self.scheme in {"mqtts", "wss"}

    @property
    def websocket(self) -> bool:
        """Whether MQTT travels in websocket frames."""
        return self.scheme in {"ws", "wss"}


_SCHEMES = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_OTHER_SCHEMES = {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "http": "ws", "https": "wss"}


def broker(url: str) -> Broker:
    """Read the URL of an MQTT broker.

    Raises ValueError with a sentence.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        meant = _OTHER_SCHEMES.get(scheme.lower()) if separator else "mqtt"
        hint = f"; did you mean `{meant}://`?" if meant else ""
        raise ValueError(f"is no broker's URL: it starts with mqtt://, mqtts://, ws:// or wss://{hint}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("has no usable port: write a number from 1 to 65535 behind the host") from None
    if "@" in url:
        raise ValueError("holds a user or password: give them as `username` and `password_file`, not in the URL")
    if not parts.hostname or port == 0 or re.search(r"[\s\x00-\x1f?#]", url):
        raise ValueError("is no broker's URL: write `mqtt://host:port`, or `ws://host:port/path`")
    if parts.path.strip("/") and scheme in {"mqtt", "mqtts"}:
        raise ValueError("has a path, which only a websocket (ws, wss) has; topics belong under `subscribe`")
    path = (parts.path if parts.path.strip("/") else "/mqtt") if scheme in {"ws", "wss"} else ""
    return Broker(scheme, parts.hostname, port or _SCHEMES[scheme], path)


def check_filter(text: str) -> str:
    """Hold a subscription against the grammar of MQTT 5 section 4.7; `$share/group/filter` is one.

    Raises ValueError with a sentence.
    """
    plain = text
    if text.startswith("$share/"):
        _, group, plain = [*text.split("/", 2), "", ""][:3]
        if not group or re.search(r"[+#]", group) or not plain:
            raise ValueError("is no shared subscription: write `$share/group/filter`, the group without + and #")
    _check_levels(plain)
    return text


def check_pattern(text: str) -> str:
    """Hold a route's topic against the grammar: levels, `+`, `{name}`, and `#` as the last.

    Raises ValueError with a sentence.
    """
    names = [level for level in text.split("/") if "{" in level or "}" in level]
    if any(not _LEVEL.fullmatch(level) for level in names):
        raise ValueError(
            "has a level that is part name: `{name}` (a-z, 0-9, _) stands for a whole level, as in `a/{device}`"
        )
    if len(set(names)) != len(names):
        raise ValueError("uses one `{name}` twice: give each level a name of its own")
    if text.startswith("$share/"):
        raise ValueError("is a shared subscription: a route names the topic itself; leave `$share/group/` out")
    _check_levels(text)
    return text


def _check_levels(text: str) -> None:
    if not text or len(text.encode()) > _LONGEST_TOPIC or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("is no topic: it is empty, too long, or holds control characters")
    levels = text.split("/")
    if "#" in levels[:-1] or any("#" in level and level != "#" for level in levels):
        raise ValueError("uses `#` wrongly: it stands alone, as the last level, as in `city/#`")
    if any("+" in level and level != "+" for level in levels):
        raise ValueError("uses `+` wrongly: it stands alone for one whole level, as in `city/+/aq`")


def field_path(text: str) -> Path:
    """Compile `pm.2_5`, `values[0].v` or `sensors["PM2.5"]` (a name with a dot in it) into the steps to a value.

    A quote in such a name is written twice: `["a""b"]`.

    Raises ValueError with a sentence.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (at == 0 and text[0] == ".") or (at and match[1] and text[at] != "."):
            break
        steps.append(int(match[2]) if match[2] else match[1] or _unquoted(match[3], match[4]))
        at = match.end()
    if at < len(text) or not steps or isinstance(steps[0], int):
        raise ValueError('is no path: write names with dots and array places, as `pm.2_5`, `values[0].v`, `["PM2.5"]`')
    return Path(text, tuple(steps))


def _unquoted(double: str | None, single: str | None) -> str:
    """Return a name in brackets; its own quotes are written twice."""
    return double.replace('""', '"') if double is not None else (single or "").replace("''", "'")


def check_file(text: str, info: ValidationInfo) -> str:
    """Take a relative path from the folder of the configuration, wherever the program was started.

    Raises ValueError with a sentence.
    """
    if not text or "\x00" in text:
        raise ValueError("is no file's path")
    folder = (info.context or {}).get("folder") if isinstance(info.context, dict) else None
    return str(File(folder) / text) if folder else text


def check_field(text: str) -> str:
    """Hold a text against the grammar of paths. Raises ValueError with a sentence."""
    return field_path(text).text


def check_url(text: str) -> str:
    """Hold a text against what `broker` reads. Raises ValueError with a sentence."""
    broker(text)
    return text


def check_listen(text: str) -> str:
    """Hold a text against `host:port`, where port 0 is a free one. Raises ValueError with a sentence."""
    host_port(text, lowest=0)
    return text


def check_address(text: str) -> str:
    """Hold a text against `host:port`. Raises ValueError with a sentence."""
    host_port(text)
    return text


def durations(lowest: float, highest: float) -> AfterValidator:
    """Allow durations from `lowest` to `highest` seconds."""
    return _within(lowest, highest, spell_seconds)


def sizes(lowest: int, highest: int) -> AfterValidator:
    """Allow sizes from `lowest` to `highest` bytes."""
    return _within(lowest, highest, spell_size)


def _within(lowest: float, highest: float, spelt: Callable[[Any], str]) -> AfterValidator:
    allowed = f"{spelt(lowest)} to {spelt(highest)}"

    def check(value: float) -> float:
        if not lowest <= value <= highest:
            raise ValueError(f"is outside what is allowed: {allowed}")
        return value

    check.__doc__ = allowed  # the reference page prints it
    return AfterValidator(check)


DURATION = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|min|m|h|d)$"}
Duration = Annotated[float, BeforeValidator(seconds), PlainSerializer(spell_seconds), Schema(DURATION)]
SIZE = {"type": "string", "pattern": r"^[0-9]+\s*(B|KiB|MiB|kB|MB)$"}
Size = Annotated[int, BeforeValidator(size), PlainSerializer(spell_size), Schema(SIZE)]
Address = Annotated[str, AfterValidator(check_address)]
Listen = Annotated[str, AfterValidator(check_listen)]
BrokerUrl = Annotated[str, AfterValidator(check_url)]
FilterText = Annotated[str, AfterValidator(check_filter)]
PatternText = Annotated[str, AfterValidator(check_pattern)]
FieldPath = Annotated[str, AfterValidator(check_field)]
FileName = Annotated[str, AfterValidator(check_file)]


def _matching(pattern: str, allowed: str, sentence: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(sentence)
        return text

    check.__doc__ = allowed  # the reference page prints it
    return AfterValidator(check)


_TENANT = "[a-z][a-z0-9-]{0,62}"
Tenant = Annotated[
    str,
    _matching(_TENANT, f"`{_TENANT}`", "is no tenant: a lower-case letter, then up to 62 of a-z, 0-9 and -"),
    Schema({"type": "string", "pattern": f"^{_TENANT}$"}),
]
_NAME = "[a-z0-9][a-z0-9_-]{0,62}"
Name = Annotated[
    str,
    _matching(_NAME, f"`{_NAME}`", "is no name: up to 63 of a-z, 0-9, _ and -, and a letter or digit first"),
    Schema({"type": "string", "pattern": f"^{_NAME}$"}),
]
VENDOR_NAME = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""A vendor or a device as a configuration names it."""
VendorDevice = Annotated[
    str,
    _matching(f"{VENDOR_NAME}/{VENDOR_NAME}", "`vendor/device`", "is no `vendor/device`, both of a-z, 0-9 and -"),
    Schema({"type": "string", "pattern": f"^{VENDOR_NAME}/{VENDOR_NAME}$"}),
]
_LEVEL_NAME = "[a-z][a-z0-9_]*"
LevelName = Annotated[
    str,
    _matching(
        _LEVEL_NAME,
        f"`{_LEVEL_NAME}`",
        "is no level's name: write it without braces, of a-z, 0-9 and _, as in the route's `{device}`",
    ),
    Schema({"type": "string", "pattern": f"^{_LEVEL_NAME}$"}),
]
_IRI = r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+"
Iri = Annotated[
    str,
    _matching(_IRI, "absolute IRI", "is no absolute address (IRI): it begins with a scheme, such as `https:`"),
    Schema({"type": "string", "format": "iri"}),
]
_OAUTH = r"https?://[^\s@]+"
TokenUrl = Annotated[
    str,
    _matching(_OAUTH, "http(s) URL", "is no address of a token service: write https://host/path, without a user"),
    Schema({"type": "string", "format": "uri"}),
]

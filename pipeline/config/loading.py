"""Reads the configuration: every error at once, each with its place, line, value and fix; secrets are never shown.

Document (document.py)  the file: lines, duplicate keys, ${NAME}
Draft (diagnose.py)     pydantic's findings, and what is right of the rest
errors (rules.py)       what the parts must be to each other
findings (judge_*.py)   connectors against the models
DevicesFile (devices)    the device registry, where there is one
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from pipeline.config import connector_folders, devices, judge_connectors, judge_inline, rules
from pipeline.config.device_fields import Uses
from pipeline.config.devices import DevicesFile
from pipeline.config.diagnose import Draft
from pipeline.config.document import Document
from pipeline.config.feeds import FEED_SECTIONS, formats
from pipeline.config.findings import Finding, InvalidConfigError, few_suggestions
from pipeline.config.kafka import KafkaConfig
from pipeline.config.root import AnyConnector, AnyFeed, Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.config.values import DURATION, SIZE, Name, spell_seconds, spell_size
from pipeline.core.errors import ConfigError
from pipeline.core.files import content
from pipeline.devices.registry import DeviceRegistry
from pipeline.models import MODELS
from pipeline.plugins.registry import ConnectorCatalogue


class _AsWritten(GenerateJsonSchema):
    """Defaults as one would write them in the file: `30s`, and not 30.0."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        pattern, default = made.get("pattern"), made.get("default")
        if pattern == DURATION["pattern"] and isinstance(default, float):
            made["default"] = spell_seconds(default)
        if pattern == SIZE["pattern"] and isinstance(default, int):
            made["default"] = spell_size(default)
        return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12)."""
    made = Config.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": _AsWritten.schema_dialect, **made, "title": "Headrace"}


__all__ = ["Config", "Loaded", "load", "read"]

_LARGEST = 4 * 1024**2


class _Partial(Config):
    """A configuration of which the required parts may be unreadable, so that the rest can still be judged."""

    tenant: str = "unknown"
    kafka: KafkaConfig = KafkaConfig(bootstrap_servers=("127.0.0.1:9092",))
    feeds: dict[Name, AnyFeed] = Field(default={})


def know_kinds() -> None:
    """Take up the sections of feeds that were declared since this module was imported."""
    Config.model_rebuild(force=True)
    _Partial.model_rebuild(force=True)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used.

    Attributes:
        warnings: What works, but most likely not as meant; in order of lines.
        devices: The device registry, empty without one.
        connectors: Every device connector that was found.
    """

    file: str
    config: Config
    warnings: tuple[Finding, ...]
    document: Document
    devices: DeviceRegistry
    connectors: ConnectorCatalogue

    def placed(self, findings: Iterable[Finding]) -> list[Finding]:
        """Give later findings about this configuration their lines, and put them in order."""
        return _placed(self.document, findings)

    def reread(self) -> Loaded:
        """Return the configuration as its file is now; everything that it names is read again.

        Raises ConfigError; its text lists everything that is wrong.
        """
        try:
            return read(self.file)
        except InvalidConfigError as problem:
            raise InvalidConfigError(self.file, problem.findings, "the configuration in use stays") from None


def load(path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration in the file.

    Raises ConfigError; its text lists everything that is wrong.
    """
    return read(path, environment).config


def read(
    path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ, *, devices: str | None = None
) -> Loaded:
    """Return the configuration in the file, with warnings. Relative files in it are taken from its folder.

    Raises ConfigError; its text lists everything that is wrong.

    Args:
        devices: A device registry in place of the one that the file names.
    """
    return parse(_text(File(path)), str(path), environment, devices)


@few_suggestions()
def parse(text: str, file: str, environment: Mapping[str, str], devices: str | None = None) -> Loaded:
    """Return the configuration in `text`, which stood in `file`.

    Raises InvalidConfigError, a ConfigError, with everything that is wrong.
    """
    document = Document(text, environment)
    if devices is not None and isinstance(document.value, dict):
        document.value["devices"] = str(File(devices).resolve())
    folder = str(File(file).parent)
    draft = Draft(Config, document)
    registry = _registry(document.value, folder)
    judged = _judged(draft, folder, registry) if isinstance(document.value, dict) else None
    file_of_devices = DevicesFile() if judged is None else judged[1]
    errors = _placed(document, [*document.findings, *draft.findings, *file_of_devices.errors])
    if errors or judged is None:
        raise InvalidConfigError(file, errors)
    context = {"folder": folder, "registry": registry, "devices": file_of_devices.devices}
    config = Config.model_validate(draft.value, context=context)
    doubts = [
        *judge_connectors.broken(config, registry),
        *judge_connectors.doubts(config),
        *judge_inline.unmeasured(config.connectors, MODELS),
    ]
    found = [*rules.warnings(config), *doubts, *file_of_devices.findings]
    return Loaded(file, config, tuple(_placed(document, found)), document, file_of_devices.devices, registry)


def _registry(value: object, folder: str) -> ConnectorCatalogue:
    """Look for device connectors, unless the file uses none: importing every vendor takes a while."""
    if not isinstance(value, dict) or not _uses_vendors(value):
        return ConnectorCatalogue()
    paths = value.get("connector_paths")
    texts = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return connector_folders.registry([str(File(folder) / text) for text in texts])


def _uses_vendors(value: Mapping[str, object]) -> bool:
    if value.get("connector_paths") or "devices" in value:
        return True
    connectors, feeds = (_mappings(value.get(key)) for key in ("connectors", "feeds"))
    networked = any("dialect" in feed or _speaks(feed.get("kind")) for feed in feeds)
    return networked or any("use" in each for each in connectors) or any(map(_own_format, feeds))


def _speaks(kind: object) -> bool:
    """Say whether a LoRaWAN network speaks on each feed of a kind."""
    return getattr(FEED_SECTIONS.get(str(kind)), "dialect", None) is not None


def _own_format(feed: Mapping[str, object]) -> bool:
    """Say whether a route names a format that does not come with Headrace: an installed package may bring it."""
    routes = feed.get("routes")
    named = [route.get("format") for route in routes if isinstance(route, dict)] if isinstance(routes, list) else []
    return any(isinstance(each, str) and each not in formats() for each in named)


def _mappings(value: object) -> list[dict[str, object]]:
    entries = value.values() if isinstance(value, dict) else ()
    return [each for each in entries if isinstance(each, dict)]


def _judged(draft: Draft, folder: str, registry: ConnectorCatalogue) -> tuple[Config, DevicesFile] | None:
    """Collect what is wrong, and return what could be read of the configuration, and its device registry."""
    context = {"folder": folder, "registry": registry}
    draft.report(context)
    config = draft.repaired(_Partial, context)
    if config is None:
        return None
    connectors = draft.value.get("connectors")
    names = frozenset(config.connectors) | frozenset(connectors if isinstance(connectors, dict) else ())
    for finding in rules.errors(config, MODELS, names):
        draft.add(finding)
    for finding in judge_connectors.paths(config):
        draft.add(finding)
    file = _devices(config, registry, names)
    for name, connector in config.connectors.items():
        key = "use" if isinstance(connector, UsedConnectorConfig) else "model"
        for finding in () if draft.knows(("connectors", name, key)) else _about(name, connector, registry, file):
            draft.add(finding)
    return config, file


def _devices(config: Config, registry: ConnectorCatalogue, names: frozenset[str]) -> DevicesFile:
    """Read the device registry.

    Args:
        names: Every connector that the file names, also those that could not be read.
    """
    if config.devices is None:
        return DevicesFile()
    try:
        return devices.read(config.devices, Uses(config, registry, MODELS, names - config.connectors.keys()))
    except ConfigError as problem:
        fix = "Mend the path, or the file; a relative path is taken from the folder of this file."
        return DevicesFile(findings=[Finding(("devices",), str(problem), fix)])


def _about(name: str, connector: AnyConnector, registry: ConnectorCatalogue, file: DevicesFile) -> Iterator[Finding]:
    supplied = file.supplied(name)
    if isinstance(connector, UsedConnectorConfig):
        yield from judge_connectors.judge_used(name, connector, registry, MODELS, supplied)
    else:
        yield from judge_inline.judge_inline(name, connector, MODELS, supplied)


def _placed(document: Document, findings: Iterable[Finding]) -> list[Finding]:
    placed = [each if each.line else replace(each, line=document.line(each.place)) for each in findings]
    return sorted(dict.fromkeys(placed), key=lambda finding: (finding.file or "", finding.line or 0))


def _text(path: File) -> str:
    try:
        held = content(path, _LARGEST)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror or problem}.") from None
    except ValueError:
        raise ConfigError("The configuration's path is no file's path.") from None
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = held.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path}:{line}  is not UTF-8 text: save the file as UTF-8.") from None

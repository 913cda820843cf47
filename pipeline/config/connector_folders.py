"""A device connector without Python: a folder with `connector.yaml`, its examples in the published form.

The decoder is that of a format, by its name. A `codec.js` beside it is the place of a decoder in JavaScript; it is
refused until something here can run one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from pipeline.config import judge_connectors
from pipeline.config.connectors import AttributeSourceConfig
from pipeline.config.diagnose import Draft
from pipeline.config.document import Document
from pipeline.config.feeds import FormatName, faults, find
from pipeline.config.findings import Finding, listed
from pipeline.config.values import Duration, FieldPath, Section
from pipeline.core.errors import PayloadError
from pipeline.core.files import HANDMADE, content
from pipeline.plugins import discovery
from pipeline.plugins.registry import BrokenConnector, ConnectorCatalogue, FoundConnector, OwnFormat
from pipeline.sdk.connector import Attribute, Connector, Example, Observation, Place, Time

FILE, CODEC = "connector.yaml", "codec.js"


class _Time(Section):
    field: FieldPath
    unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"


class _Place(Section):
    longitude: FieldPath
    latitude: FieldPath
    altitude: FieldPath | None = None


class _Observation(Section):
    model: str
    attributes: dict[str, AttributeSourceConfig] = Field(min_length=1)
    period: Duration | None = None


class _Input(Section):
    """The payload: bytes as a list of numbers or as hexadecimal text; or a text, or a JSON value."""

    bytes: tuple[int, ...] | str | None = None
    text: str | None = None
    json_value: Any = Field(default=None, alias="json")
    fPort: int | None = None  # noqa: N815 - the published form's own name


class _Output(Section):
    """What the decoder gives: `data`, or `errors` for a payload that it refuses."""

    data: dict[str, Any] | tuple[dict[str, Any], ...] | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> _Output:
        if (self.data is None) == (not self.errors):
            raise ValueError("has either `data` (what is decoded), or `errors` (why the payload is refused)")
        return self


class _Example(Section):
    description: str = Field(min_length=1)
    input: _Input
    output: _Output
    expect: dict[str, Any] | tuple[dict[str, Any], ...] = Field(default={})
    source: str | None = None


class FolderConnectorConfig(Section):
    """The keys of `connector.yaml`."""

    vendor: str
    devices: tuple[str, ...] = Field(min_length=1)
    owner: str
    version: str = "1"
    format: FormatName
    model: str | None = None
    attributes: dict[str, AttributeSourceConfig] = Field(default={})
    period: Duration | None = None
    observations: tuple[_Observation, ...] = ()
    device: dict[str, AttributeSourceConfig] = Field(default={})
    controls: tuple[str, ...] = ()
    time: _Time | None = None
    place: _Place | None = None
    examples: tuple[_Example, ...] = ()


def folder(place: Path, own: ConnectorCatalogue | None = None) -> Iterator[FoundConnector | BrokenConnector]:
    """Yield the connectors of every `connector.yaml` in a folder and below it; a file stands for itself.

    Args:
        own: Has the formats of the operator's own.
    """
    for file in [place] if place.is_file() else sorted(place.rglob(FILE)):
        if file.name == FILE and file.is_file():
            yield _read(file, own or ConnectorCatalogue())


def _read(file: Path, own: ConnectorCatalogue) -> FoundConnector | BrokenConnector:
    if (file.parent / CODEC).exists():
        said = f"{CODEC} is not supported yet: only a payload of a named format is decoded (`format: json`)."
        return BrokenConnector(str(file.parent / CODEC), 1, f"{said} Write the decoder in Python, or remove the file.")
    try:
        text = content(file, HANDMADE).decode()
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else str(problem)
        return BrokenConnector(str(file), 1, f"cannot be read: {why}.")
    document = Document(text, {})
    draft = Draft(FolderConnectorConfig, document)
    if isinstance(document.value, dict):
        draft.report({"registry": own})
    findings = [*document.findings, *draft.findings]
    if findings:
        return _broken(file, document, findings)
    try:
        read = FolderConnectorConfig.model_validate(document.value, context={"registry": own})
        made = _made(read, own)
    except (ValidationError, ValueError) as problem:
        return BrokenConnector(str(file), 1, f"cannot be used: {problem}.")
    lines = {each.description: document.line(("examples", at)) for at, each in enumerate(read.examples)}
    return FoundConnector(made, str(file), document.line(("vendor",)), lines, "folder")


def _broken(file: Path, document: Document, findings: list[Finding]) -> BrokenConnector:
    line = findings[0].line or document.line(findings[0].place)
    rest = findings[1:]
    more = "\n" + listed(str(file), rest) if rest else ""
    return BrokenConnector(str(file), line, f"{findings[0]}{more}")


def _made(read: FolderConnectorConfig, own: ConnectorCatalogue) -> Connector:
    return Connector(
        vendor=read.vendor,
        devices=read.devices,
        owner=read.owner,
        version=read.version,
        decode=find(read.format, own).decode,
        model=read.model,
        attributes=_attributes(read.attributes),
        period=read.period,
        observations=tuple(Observation(o.model, _attributes(o.attributes), o.period) for o in read.observations),
        device=_attributes(read.device),
        controls=read.controls,
        time=None if read.time is None else Time(read.time.field, read.time.unit),
        place=None if read.place is None else Place(read.place.longitude, read.place.latitude, read.place.altitude),
        examples=tuple(_example(each) for each in read.examples),
    )


def _attributes(sources: Mapping[str, AttributeSourceConfig]) -> dict[str, Attribute]:
    return {name: Attribute(source.field, source.unit) for name, source in sources.items()}


def _example(read: _Example) -> Example:
    given = read.input.bytes
    code = bytes(given).hex() if isinstance(given, tuple) else given
    return Example(
        read.description,
        hex=code,
        text=read.input.text,
        json=read.input.json_value,
        port=read.input.fPort,
        expect=PayloadError if read.output.errors else read.expect,
        decoded=read.output.data,
        source=read.source,
    )


Declared = TypeVar("Declared", bound=FoundConnector | BrokenConnector | OwnFormat)


def registry(paths: Sequence[str] = ()) -> ConnectorCatalogue:
    """Return the connectors and formats of the tree, of installed packages and of these folders."""
    formats, others = _folders([Path(path) for path in paths], _own())
    return ConnectorCatalogue([*formats, *others])


def in_folder(path: Path) -> Iterator[FoundConnector | BrokenConnector]:
    """Yield the connectors in a folder and below it, or in a file, in both forms."""
    yield from _folders([path])[1]


def _folders(
    paths: Sequence[Path], known: Iterable[FoundConnector | BrokenConnector | OwnFormat] = ()
) -> tuple[list[OwnFormat], list[FoundConnector | BrokenConnector]]:
    """Return what is known, and what is in the folders: Python first, since a `connector.yaml` may name its format."""
    formats, others = _formats([*known, *(each for path in paths for each in _python(path))])
    own, marks = ConnectorCatalogue(formats), "".join(sorted(each.digest for each in formats))
    written = [each for path in paths for each in _marked(folder(path, own), marks)]
    return formats, [*others, *_judged(written)]


def _formats(
    every: Iterable[FoundConnector | BrokenConnector | OwnFormat],
) -> tuple[list[OwnFormat], list[FoundConnector | BrokenConnector]]:
    """Part the formats that can be used from all else; of two of one name neither is."""
    found = list(every)
    formats = {(Path(e.file).resolve(), e.format.name): e for e in found if isinstance(e, OwnFormat)}
    others: list[FoundConnector | BrokenConnector] = [each for each in found if not isinstance(each, OwnFormat)]
    usable = []
    for each in formats.values():
        twins = [twin for twin in formats.values() if twin.format.name == each.format.name and twin is not each]
        said = [*faults(each), *(f"The format `{each.format.name}` is also in {twin.where}." for twin in twins)]
        if said:
            others.append(BrokenConnector(each.file, each.line, " ".join(said)))
        else:
            usable.append(each)
    return usable, others


def _python(path: Path) -> Iterator[FoundConnector | BrokenConnector | OwnFormat]:
    """Yield what the Python files in a folder and below it declare, or a file."""
    found = list(discovery.folder(path))
    yield from _marked(each for each in found if isinstance(each, OwnFormat))
    yield from _judged(_marked(each for each in found if not isinstance(each, OwnFormat)))


def _marked(every: Iterable[Declared], more: str = "") -> Iterator[Declared]:
    """Give each the digest of its file.

    Args:
        more: Of what it rests on besides.
    """
    for each in every:
        if isinstance(each, BrokenConnector):
            yield each
        else:
            yield replace(each, digest=_digest(Path(each.file)) + more)


def _digest(file: Path) -> str:
    try:
        return sha256(content(file, HANDMADE)).hexdigest()
    except OSError:  # gone meanwhile: another one than any that is there
        return "unknown"


@cache
def _own() -> tuple[FoundConnector | BrokenConnector | OwnFormat, ...]:
    tree = folder(discovery.place_of_tree())
    found = [*discovery.tree(), *discovery.installed()]
    formats = [each for each in found if isinstance(each, OwnFormat)]
    return (*formats, *_judged([*(each for each in found if not isinstance(each, OwnFormat)), *tree]))


def _judged(every: Iterable[FoundConnector | BrokenConnector]) -> Iterator[FoundConnector | BrokenConnector]:
    for each in every:
        faults = [] if isinstance(each, BrokenConnector) else list(judge_connectors.faults(each.connector))
        if isinstance(each, FoundConnector) and faults:
            yield BrokenConnector(each.file, each.line, " ".join(faults), each.names)
        else:
            yield each

"""A device connector without Python: a folder with `connector.yaml`, its examples in the published form.

The decoder is that of a format, by its name. A `codec.js` beside it is the place of a decoder in JavaScript; it is
refused until something here can run one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.config.connectors import AttributeSource
from pipeline.config.document import Document
from pipeline.config.findings import Finding, listed
from pipeline.config.formats import FormatName, find
from pipeline.config.shape import Draft
from pipeline.config.values import Duration, FieldPath, Section
from pipeline.core.errors import PayloadError
from pipeline.core.files import HANDMADE, content
from pipeline.plugins.registry import Broken, Found, Registry
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
    attributes: dict[str, AttributeSource] = Field(min_length=1)
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


class FolderConnector(Section):
    """The keys of `connector.yaml`."""

    vendor: str
    devices: tuple[str, ...] = Field(min_length=1)
    owner: str
    version: str = "1"
    format: FormatName
    model: str | None = None
    attributes: dict[str, AttributeSource] = Field(default={})
    period: Duration | None = None
    observations: tuple[_Observation, ...] = ()
    device: dict[str, AttributeSource] = Field(default={})
    controls: tuple[str, ...] = ()
    time: _Time | None = None
    place: _Place | None = None
    examples: tuple[_Example, ...] = ()


def folder(place: Path, own: Registry | None = None) -> Iterator[Found | Broken]:
    """Yield the connectors of every `connector.yaml` in a folder and below it; a file stands for itself.

    own: has the formats of the operator's own.
    """
    for file in [place] if place.is_file() else sorted(place.rglob(FILE)):
        if file.name == FILE and file.is_file():
            yield _read(file, own or Registry())


def _read(file: Path, own: Registry) -> Found | Broken:
    if (file.parent / CODEC).exists():
        said = f"{CODEC} is not supported yet: only a payload of a named format is decoded (`format: json`)."
        return Broken(str(file.parent / CODEC), 1, f"{said} Write the decoder in Python, or remove the file.")
    try:
        text = content(file, HANDMADE).decode()
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else str(problem)
        return Broken(str(file), 1, f"cannot be read: {why}.")
    document = Document(text, {})
    draft = Draft(FolderConnector, document)
    if isinstance(document.value, dict):
        draft.report({"registry": own})
    findings = [*document.findings, *draft.findings]
    if findings:
        return _broken(file, document, findings)
    try:
        read = FolderConnector.model_validate(document.value, context={"registry": own})
        made = _made(read, own)
    except (ValidationError, ValueError) as problem:
        return Broken(str(file), 1, f"cannot be used: {problem}.")
    lines = {each.description: document.line(("examples", at)) for at, each in enumerate(read.examples)}
    return Found(made, str(file), document.line(("vendor",)), lines, "folder")


def _broken(file: Path, document: Document, findings: list[Finding]) -> Broken:
    line = findings[0].line or document.line(findings[0].place)
    rest = findings[1:]
    more = "\n" + listed(str(file), rest) if rest else ""
    return Broken(str(file), line, f"{findings[0]}{more}")


def _made(read: FolderConnector, own: Registry) -> Connector:
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


def _attributes(sources: Mapping[str, AttributeSource]) -> dict[str, Attribute]:
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

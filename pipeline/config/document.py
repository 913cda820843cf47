"""A YAML file as plain values, with the line of each, and what YAML itself would have misread.

YAML 1.1 reads `12:30` as 750, `0644` as 420 and `2026-01-01` as a date. Here they are errors with a sentence, since
their author meant a text. Keys are always text. `${NAME}` and `${NAME:-default}` are replaced in string values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.config.findings import Finding, Place, secret, shown
from pipeline.core.field_path import surrogate

_TAG = "tag:yaml.org,2002:"
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{([^}]*)\}?")
BOOLEANS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
"""The words that YAML 1.1 reads as true or false."""
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_DEEPEST = 40
# What no person sets: outside the service a file that is right has this error, and a default would mend nothing.
_GIVEN = {
    "CREDENTIALS_DIRECTORY": (
        "It is set by systemd or the container: run the command as the service runs (deploy/runbook/README.md)."
    )
}
_LONGEST_NUMBER = 40
_SEARCHED = 64 * 1024  # characters of a file that is read once more to say better what is wrong with it
_BARE = re.compile(r"[\w./](?:[\w ./+@()-]*[\w./+@()-])?")
_RESOLVER: Any = yaml.resolver.Resolver()


class Document:
    """One YAML file, read: `value` is its plain content, `findings` what is wrong with it as YAML."""

    def __init__(self, text: str, environment: Mapping[str, str]) -> None:
        self.findings: list[Finding] = []
        self.value: Any = None
        self._environment = environment
        self._made: dict[int, Any] = {}
        self._named: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}
        self._root = self._compose(text)
        if self._root is not None:
            self.value = self._construct(self._root, ())

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            root = _composed(text)
        except yaml.YAMLError as problem:
            self.findings.append(unreadable(problem))
            return None
        except RecursionError:
            self.findings.append(Finding((), "is nested far too deep to be a configuration."))
            return None
        if root is None:
            self.findings.append(Finding((), "holds nothing.", "Begin with `tenant: <name>`.", line=1))
        elif not isinstance(root, yaml.MappingNode):
            self.findings.append(Finding((), "is no mapping.", "Begin with `tenant: <name>`.", line=1))
            return None
        return root

    def line(self, place: Place) -> int:
        """Return the line where `place` stands, or, where it does not, that of what it would stand in."""
        node, line = self._root, 1
        for step in place:
            key, value = self._child(node, step)
            if value is None:
                break
            node, line = value, _line(key or value)
        return line

    def holds(self, place: Place) -> bool:
        """Say whether the file itself has something at `place`."""
        node: yaml.Node | None = self._root
        for step in place:
            node = self._child(node, step)[1]
        return node is not None

    def scalar(self, place: Place) -> tuple[str, str] | None:
        """Return the text at `place` as the file has it, and YAML's kind of it (`bool`, `str`), if it is a scalar."""
        node: yaml.Node | None = self._root
        for step in place:
            node = self._child(node, step)[1]
        if not isinstance(node, yaml.ScalarNode):
            return None
        return str(node.value), str(node.tag).removeprefix(_TAG)

    def _child(self, node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
        """Return key and value at one step below a node; of a list's entry, the value."""
        if isinstance(node, yaml.MappingNode):
            if id(node) not in self._named:
                pairs = [pair for pair in reversed(node.value) if isinstance(pair[0], yaml.ScalarNode)]
                self._named[id(node)] = {str(key.value): (key, value) for key, value in pairs}  # the first one counts
            return self._named[id(node)].get(str(step), (None, None))
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return None, node.value[step]
        return None, None

    def _construct(self, node: yaml.Node, place: Place) -> Any:  # noqa: ANN401 - a file holds anything
        if id(node) in self._made:  # an alias (`*name`): made once, whatever a file that repeats itself would ask for
            return self._made[id(node)]
        self._made[id(node)] = None
        if len(place) > _DEEPEST:
            self._wrong(place, node, "is nested deeper than any configuration is.")
        elif isinstance(node, yaml.MappingNode):
            self._made[id(node)] = self._mapping(node, place)
        elif isinstance(node, yaml.SequenceNode):
            self._made[id(node)] = [self._construct(each, (*place, at)) for at, each in enumerate(node.value)]
        elif isinstance(node, yaml.ScalarNode):
            self._made[id(node)] = self._scalar(node, place)
        return self._made[id(node)]

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _TAG + "merge":
                fix = "Write each section out; an anchor and `*alias` may stand for a whole value."
                self._wrong(place, key, "has a key that is no text (or `<<`, which is not supported).", fix)
                continue
            name = str(key.value)
            if name in lines:
                repeated = f"is written twice: in line {lines[name]} and here."
                self._wrong((*place, name), key, repeated, "Keep one; YAML alone would silently take the last.")
                continue
            lines[name] = _line(key)
            values[name] = self._construct(value, (*place, name))
        return values

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:  # noqa: ANN401
        text, kind = str(node.value), str(node.tag).removeprefix(_TAG)
        if kind == "str":
            half = surrogate(text)
            if half is not None:
                self._wrong(place, node, f"holds {half}, which is half of a surrogate pair, and no character.")
                return text.encode("utf-8", "replace").decode()
            return self._interpolated(text, node, place)
        if kind == "null":
            return None
        if kind == "bool":
            return BOOLEANS[text.lower()]
        if kind in {"int", "float"} and (read := number(text)) is not None:
            return read
        self._surprise(text, kind, node, place)
        return text

    def _surprise(self, text: str, kind: str, node: yaml.ScalarNode, place: Place) -> None:
        quoted = "Put it in quotes" + ("." if secret(place) else f': "{text}".')
        base = 60 if ":" in text else 8
        odd = f"a number in base {base}" if len(text) <= _LONGEST_NUMBER else "a number that is far too long"
        meant = {"int": odd, "float": odd, "timestamp": "a date"}.get(kind)
        if meant:
            self._wrong(place, node, f"{shown(text, place)} without quotes is {meant} to YAML.", quoted)
        else:
            self._wrong(place, node, "has a YAML tag (`!...`), which means nothing here.", quoted)

    def _interpolated(self, text: str, node: yaml.ScalarNode, place: Place) -> str:
        def replace(match: re.Match[str]) -> str:
            name, default, other = match.groups()
            if name is None and other is None:
                return "${"
            if name is None:
                self._wrong(
                    place, node, "has a `${` that is no variable.", "Write `${NAME}`, or `$${` for a plain `${`."
                )
                return ""
            value = self._environment.get(name) or default
            if value is None:
                unset = "is empty" if name in self._environment else "is not set"
                fix = _GIVEN.get(name) or f"Set {name}, or write `${{{name}:-default}}`."
                self._wrong(place, node, f"needs the environment variable {name}, which {unset}.", fix)
            return value or ""

        return _VARIABLE.sub(replace, text)

    def _wrong(self, place: Place, node: yaml.Node, message: str, fix: str = "") -> None:
        self.findings.append(Finding(place, message, fix, line=_line(node), settles=(place,)))


def _composed(text: str) -> yaml.Node | None:
    """Compose by the parser in C where the platform has it, ten times as fast; of a fault the other one tells more.

    Raises yaml.YAMLError.
    """
    quick: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=quick)
    except yaml.YAMLError:
        if len(text) > _SEARCHED:
            raise
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    return root


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def number(text: str) -> int | float | None:
    """Read a number as everybody would; None where YAML 1.1 would read something else."""
    plain = text.lower().replace("_", "")
    if ":" in text or _OCTAL.fullmatch(text) or len(text) > _LONGEST_NUMBER:
        return None
    try:
        return int(plain, 0)
    except ValueError:
        return float(plain.replace(".inf", "inf").replace(".nan", "nan"))


def yaml_text(text: str) -> str:
    """Write a text so that a file which holds it gives it back, also inside `{...}`: quoted where YAML needs it."""
    if _BARE.fullmatch(text) and str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False))) == f"{_TAG}str":
        return text
    if '"' in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return f"\\{character}" if character in '"\\' else character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004


def unreadable(problem: yaml.YAMLError) -> Finding:
    """Name the place and the mistake; never the line's text, which may hold a password."""
    mark = getattr(problem, "problem_mark", None)
    said = str(getattr(problem, "problem", None) or "")
    line = mark.line + 1 if mark else None
    fix = "Mend the line, or the one above it; a text with special characters belongs in quotes."
    if "'\\t'" in said:
        fix = "Indent with spaces; YAML allows no tabs."
    elif "cannot start any token" in said or "could not find expected ':'" in said or "undefined alias" in said:
        fix = 'Put a text that begins with % @ ` * & ! in quotes: "%".'
    elif "single document" in str(problem) or "another document" in said:
        fix = "Keep one document: remove the line `---` and what belongs to another file."
    words = re.sub(r"alias '.*'", "alias", said) or "there is a character that YAML does not allow"
    return Finding((), f"is not readable as YAML: {words}.", fix, line=line)

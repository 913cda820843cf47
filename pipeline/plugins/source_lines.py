"""In which line of a Python file a connector and its examples stand, for messages to their author."""

from __future__ import annotations

import ast
from collections.abc import Set as AbstractSet
from pathlib import Path

from pipeline.core.files import HANDMADE, content
from pipeline.sdk.connector import Connector


class SourceLines:
    """One file's declarations; line 1 where nothing is found, as in a file whose connector is made elsewhere."""

    def __init__(self, file: Path) -> None:
        try:
            self._nodes = list(ast.walk(ast.parse(content(file, HANDMADE))))
        except (OSError, ValueError, SyntaxError):
            self._nodes = []

    def assignment(self, names: AbstractSet[str] = frozenset({"connector", "connectors"})) -> int:
        """Return the line of `connector = ...`, or of whatever has one of the names."""
        for node in self._nodes:
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            if any(isinstance(target, ast.Name) and target.id in names for target in targets):
                return _line(node)
        return 1

    def connector(self, connector: Connector) -> int:
        """Return the line of a connector's declaration: the call that names its first device."""
        for call in self._calls("Connector"):
            texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
            if connector.devices[:1] and connector.devices[0] in texts:
                return call.lineno
        return self.assignment()

    def example(self, name: str, otherwise: int) -> int:
        """Return the line of the example of that name."""
        for call in self._calls("Example"):
            given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
            if any(isinstance(each, ast.Constant) and each.value == name for each in given):
                return call.lineno
        return otherwise

    def _calls(self, name: str) -> list[ast.Call]:
        calls = [node for node in self._nodes if isinstance(node, ast.Call)]
        return [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) == name]


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))

"""The rules that keep the code readable: who may import whom, and how large a piece may be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "connectors")
LONGEST_FILE = 600


def sources(*folders: str) -> list[Path]:
    written = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in written if not path.name.endswith("_pb2.py"))  # generated: `make proto`


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTS = {module_of(path): set(imported(path)) for path in sources(*PACKAGES)}


def importers(library: str) -> set[str]:
    return {
        module
        for module, names in IMPORTS.items()
        if any(name == library or name.startswith(f"{library}.") for name in names)
    }


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("paho", ("pipeline.feeds.mqtt",)),
        ("aiokafka", ("pipeline.publish", "pipeline.feeds.kafka")),
        ("prometheus_client", ("pipeline.metrics",)),
        ("uvicorn", ("pipeline.admin",)),
        ("uvloop", ("pipeline.event_loop",)),
        ("yaml", ("pipeline.config",)),
        ("rich", ("pipeline.demo",)),
        ("sqlite3", ("pipeline.store",)),
        ("cryptography", ("pipeline.lorawan.crypto", "pipeline.demo.radio", "pipeline.doctor.certificates")),
        ("google.protobuf", ("connectors.network_servers.proto",)),
    ],
)
def test_each_library_has_one_home(library: str, allowed: tuple[str, ...]) -> None:
    found = importers(library)
    assert found, f"nothing imports {library}: the rule holds nothing"
    assert {module for module in found if not module.startswith(allowed)} == set()


def test_the_engine_knows_no_vendor() -> None:
    assert {module for module in importers("connectors") if module.startswith("pipeline")} == set()


def test_a_device_connector_imports_the_standard_library_and_the_vendors_surface() -> None:
    helpers = ("connectors.network_servers", "connectors.formats")
    for module, names in IMPORTS.items():
        if module.startswith("connectors.") and not module.startswith(helpers):
            roots = {name.split(".")[0] for name in names}
            assert roots <= {*sys.stdlib_module_names, "headrace"}, module


def test_a_dialect_or_format_is_pure() -> None:
    """No I/O, no clock; of the engine only its words."""
    words = {"pipeline.connector", "pipeline.uplink", "pipeline.dialect", "pipeline.errors", "pipeline.times"}
    words |= {"pipeline.json_guard", "pipeline.json_words"}
    for module, names in IMPORTS.items():
        if module.startswith(("connectors.network_servers", "connectors.formats")):
            ours = {".".join(name.split(".")[:2]) for name in names if name.startswith("pipeline.")}
            assert ours <= words, module
            assert not names & {"time", "socket", "asyncio", "os", "pathlib", "random"}, module


def test_connectors_do_not_import_each_other_in_a_circle() -> None:
    """Late imports count: what is imported when the first message comes must not need who imports it."""
    ours = {module: names & IMPORTS.keys() for module, names in IMPORTS.items() if module.startswith("connectors.")}
    TopologicalSorter({module: names - {module} for module, names in ours.items()}).prepare()  # raises CycleError


ORDER = (
    ("pipeline.errors",),
    ("pipeline.uplink",),
    ("pipeline.dialect",),
    ("pipeline.units",),
    ("pipeline.models",),
    ("pipeline.connector",),
    ("pipeline.devices",),
    ("pipeline.slot", "pipeline.entity", "pipeline.plan", "pipeline.plan_fast", "pipeline.json_guard"),
    ("pipeline.registry",),
    ("pipeline.decode",),
    ("pipeline.fan_out",),
    ("pipeline.normalise",),
    ("pipeline.route",),
    ("pipeline.wiring",),
    ("pipeline.app",),
    ("pipeline.__main__",),
)


def test_imports_point_one_way() -> None:
    rank = {module: at for at, modules in enumerate(ORDER) for module in modules}
    for module, names in IMPORTS.items():
        here = next((rank[each] for each in rank if module == each or module.startswith(f"{each}.")), None)
        above = {name for name in names if name in rank and here is not None and rank[name] > here}
        assert above == set(), f"{module} imports what stands above it"


@pytest.mark.parametrize("edge", ["pipeline.feeds", "pipeline.publish"])
def test_feeds_and_publisher_meet_the_rest_in_the_delivery_contract_only(edge: str) -> None:
    shared = {"apart", "clock", "delivery", "files", "message", "record", "errors", "logs", "slice"}
    for module, names in IMPORTS.items():
        if module.startswith(edge):
            ours = {name.split(".")[1] for name in names if name.startswith("pipeline.") and not name.startswith(edge)}
            assert ours <= shared, module


def test_no_thread_is_waited_for_at_the_end_of_the_process() -> None:
    """`apart.in_thread` instead: asyncio joins its executor's threads, which a name server can hold for minutes."""
    joined = {"to_thread", "run"}
    for path in sources("pipeline"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                ours = isinstance(node.func.value, ast.Name) and node.func.value.id == "asyncio"
                assert not (ours and node.func.attr in joined) or path.match("pipeline/demo/*"), place
                if node.func.attr == "run_in_executor":
                    assert not (isinstance(node.args[0], ast.Constant) and node.args[0].value is None), place


def test_the_hot_path_does_not_import_the_configuration() -> None:
    hot = {"delivery", "message", "record", "route", "decode", "normalise", "plan", "plan_fast", "slot", "entity"}
    hot |= {"fan_out", "envelope", "device_state", "store", "devices", "switch", "cost"}
    for name in hot:
        assert not {each for each in IMPORTS[f"pipeline.{name}"] if each.startswith("pipeline.config")}, name


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            first = body[1] if documented and len(body) > 1 else body[0]
            yield f"{path.name}:{node.name}", (node.end_lineno or node.lineno) - first.lineno + 1


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources("pipeline", "connectors")}
    assert {str(path): length for path, length in lengths.items() if length > LONGEST_FILE} == {}
    others = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources("tests", "loadtests")}
    assert {str(path): length for path, length in others.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    lengths = dict(each for path in sources(*PACKAGES) for each in functions(path))
    assert median(lengths.values()) <= 10
    assert quantiles(lengths.values(), n=10)[8] <= 35
    longest_allowed = {"mqtt_frames.py:_sound"}  # one loop over bytes, in which each call would cost a fifth
    assert {name for name, length in lengths.items() if length > 45} <= longest_allowed


def test_every_test_folder_is_a_package() -> None:
    """Without it, tests/pipeline would stand in for pipeline itself."""
    folders = {path.parent for path in sources("tests", "loadtests")}
    assert {str(folder) for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_no_file_names_a_machine() -> None:
    """Absolute paths of one machine have no place in a project."""
    suspicious = ("/home/", "/Users/", f"{ROOT.parent}/")
    for path in [*sources("pipeline", "connectors", "loadtests"), *ROOT.glob("*.md"), ROOT / "Makefile"]:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in suspicious if word in text], path

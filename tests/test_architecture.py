"""The rules that keep the code readable: who may import whom, and how large a piece may be."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

from pipeline.build.feed_kinds import FEED_KINDS
from pipeline.config.feeds import FEED_SECTIONS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "connectors")
LONGEST_FILE = 600
SHORTEST_MODULE = 60
MOST_MODULES = 175
LONGEST_PHRASE = 80  # characters of a function that may stand twice: a phrase is no helper

SHORT_MODULES = {
    "pipeline/cli/commands/": "one file a command",
    "pipeline/core/failpoint.py": "armed by the fault tests alone",
    "pipeline/core/version.py": "one fact, which the command line and the worker state",
    "pipeline/demo/tied.py": "an entry point: the process that ends with the demo",
    "pipeline/reference/commands.py": "one generated page",
    "pipeline/testing.py": "the surface of vendors' own tests",
    "pipeline/tools/dry_run.py": "used by four tools, and of none of them",
}
"""Modules of fewer lines than SHORTEST_MODULE, or their folder, each with its reason."""


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
        ("aiokafka", ("pipeline.publish", "pipeline.feeds.kafka_topic")),
        ("prometheus_client", ("pipeline.observe.metrics",)),
        ("uvicorn", ("pipeline.http.server",)),
        ("uvloop", ("pipeline.core.event_loop",)),
        ("yaml", ("pipeline.config",)),
        ("rich", ("pipeline.demo",)),
        ("sqlite3", ("pipeline.state.store",)),
        ("cryptography", ("pipeline.lorawan.crypto", "pipeline.demo.lorawan", "pipeline.tools.doctor.certificates")),
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
    words = {
        "pipeline.sdk.connector",
        "pipeline.sdk.uplink",
        "pipeline.sdk.dialect",
        "pipeline.core.errors",
        "pipeline.core.times",
    }
    words |= {"pipeline.core.strict_json", "pipeline.core.field_path"}
    for module, names in IMPORTS.items():
        if module.startswith(("connectors.network_servers", "connectors.formats")):
            ours = {".".join(name.split(".")[:3]) for name in names if name.startswith("pipeline.")}
            assert {name for name in ours if name.count(".") > 1} <= words, module
            assert not names & {"time", "socket", "asyncio", "os", "pathlib", "random"}, module


def test_connectors_do_not_import_each_other_in_a_circle() -> None:
    """Late imports count: what is imported when the first message comes must not need who imports it."""
    ours = {module: names & IMPORTS.keys() for module, names in IMPORTS.items() if module.startswith("connectors.")}
    TopologicalSorter({module: names - {module} for module, names in ours.items()}).prepare()  # raises CycleError


ROOMS = {
    "core": "",
    "sdk": "core",
    "models": "core",
    "state": "core",
    "publish": "core",
    "http": "core",
    "encode": "core sdk",
    "feeds": "core",
    "devices": "core sdk state encode",
    "plugins": "core sdk",
    "normalise": "core sdk models encode devices",
    "lorawan": "core sdk encode devices normalise",
    "config": "core sdk models state encode devices plugins",
    "observe": "core models state encode http devices lorawan config",
    "build": "core sdk models state encode publish feeds devices plugins normalise lorawan config observe",
    "conformance": "core sdk models encode plugins normalise config build",
    "worker": "core state encode publish http feeds devices plugins config observe build conformance",
    "tools": "core sdk models state encode publish http feeds devices plugins normalise lorawan config observe build "
    "conformance",
    "demo": "core publish devices config build",
    "testing": "sdk plugins config conformance",
    "cli": "core sdk http devices plugins config observe build conformance worker demo tools",
    "reference": "core encode models feeds devices lorawan config observe cli",
    "__main__": "core config cli",
}
"""Each room of pipeline/, and the rooms that it may import; whatever is not named here is refused."""


def rooms_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the room of everything of ours that a module imports, also within functions and by name, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "pipeline" else [module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if re.fullmatch(r"pipeline(\.\w+)+", node.value) else []
        for name in names:
            package, _, rest = name.partition(".")
            if package == "pipeline" and rest:
                yield rest.split(".")[0], getattr(node, "lineno", 0)


def test_each_room_imports_only_what_it_may() -> None:
    refused: list[str] = []
    for path in sources("pipeline"):
        room = path.relative_to(ROOT / "pipeline").with_suffix("").parts[0]
        if room == "__init__":
            continue
        assert room in ROOMS, f"{path} stands in no room"
        allowed = {room, *ROOMS[room].split()}
        refused += [f"{path}:{line}: {room} imports {other}" for other, line in rooms_of(path) if other not in allowed]
    assert refused == []


def test_the_rooms_have_an_order_and_each_is_there() -> None:
    TopologicalSorter({room: may.split() for room, may in ROOMS.items()}).prepare()  # raises CycleError
    there = {path.relative_to(ROOT / "pipeline").with_suffix("").parts[0] for path in sources("pipeline")}
    assert there - {"__init__"} == set(ROOMS)


SECTIONS = {"MqttFeedConfig", "SemtechUdpFeedConfig"}
KINDS = {"mqtt", "semtech_udp"}
OWN_WORD = "semtech_udp"  # `mqtt` is a scheme of URLs, too: only beside `.kind` does it name a kind of feed
KNOW_KINDS = {
    "pipeline/build/feed_kinds.py": "the table",
    "pipeline/build/options.py": "options from each section",
    "pipeline/config/feeds.py": "the sections",
    "pipeline/config/root.py": "an entry without `kind` is held against what its keys look like",
}
"""The modules that may name a kind of feed, each with its reason; all others ask the object."""


def texts(node: ast.AST) -> set[object]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}


def asks_for_a_kind(node: ast.AST) -> bool:
    """Say whether a node names a section, tests for a class of feed, or chooses by the word of a kind."""
    if isinstance(node, ast.Name):
        return node.id in SECTIONS
    if isinstance(node, ast.alias):
        return node.name in SECTIONS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "issubclass"}:
        return bool(re.search(r"\b(MqttFeed|SemtechUdp)", ast.unparse(node)))
    if isinstance(node, ast.Compare | ast.Match):
        by_kind = any(isinstance(each, ast.Attribute) and each.attr == "kind" for each in ast.walk(node))
        return bool(texts(node) & (KINDS if by_kind else {OWN_WORD}))
    return isinstance(node, ast.Dict) and any(OWN_WORD in texts(key) for key in node.keys if key is not None)


def test_nothing_but_the_table_asks_of_which_kind_a_feed_is() -> None:
    for path in sources("pipeline"):
        name = path.relative_to(ROOT).as_posix()
        if name not in KNOW_KINDS:
            found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if asks_for_a_kind(node)]
            assert [f"{name}:{getattr(each, 'lineno', 0)}" for each in found] == []


@pytest.mark.parametrize(
    "code",
    [
        'feed.kind == "mqtt"',
        'feed.kind in {"mqtt", "lines"}',
        "isinstance(feed, MqttFeed)",
        "isinstance(feed, feeds.SemtechUdpFeedConfig)",
        'match feed.kind:\n    case "semtech_udp": pass',
        '{"semtech_udp": 1}[word]',
    ],
)
def test_the_rule_sees_each_way_to_ask(code: str) -> None:
    assert any(map(asks_for_a_kind, ast.walk(ast.parse(code))))


def test_each_section_of_a_feed_that_ships_has_its_line_in_the_table() -> None:
    ours = {each for each in FEED_SECTIONS.values() if each.__module__.startswith("pipeline.")}
    assert ours == {each for each in FEED_KINDS if each.__module__.startswith("pipeline.")}


def test_few_modules_stand_in_the_root() -> None:
    assert {path.name for path in (ROOT / "pipeline").glob("*.py")} == {"__init__.py", "__main__.py", "testing.py"}


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


def modules() -> dict[str, int]:
    """Return the length of each module of the engine; a package's `__init__` is none."""
    found = {path.relative_to(ROOT).as_posix(): path for path in sources("pipeline") if path.name != "__init__.py"}
    return {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in found.items()}


def test_modules_are_few_and_none_is_a_fragment_without_a_reason() -> None:
    lengths = modules()
    assert len(lengths) <= MOST_MODULES
    short = {name for name, length in lengths.items() if length < SHORTEST_MODULE}
    assert {name for name in short if not name.startswith(tuple(SHORT_MODULES))} == set()
    assert {reason for reason in SHORT_MODULES if not any(name.startswith(reason) for name in short)} == set()


def test_the_modules_that_texts_name_are_there() -> None:
    """A docstring, a comment or a page that names a module by a name that it no longer has leads a reader nowhere."""
    there = {path.name for path in sources("pipeline", "connectors", "tests", "loadtests", "deploy")} | {"headrace.py"}
    examples = {"name.py", "_name.py", "test_name.py"}  # of a command, of a helper, of a vendor's test
    texts = [*sources("pipeline"), *(ROOT / "pipeline").glob("README.md"), ROOT / "README.md"]
    for path in texts:
        named = set(re.findall(r"\b[a-z_]+\.py\b", path.read_text(encoding="utf-8")))
        assert named - there - examples == set(), path


def test_functions_are_short() -> None:
    lengths = dict(each for path in sources(*PACKAGES) for each in functions(path))
    assert median(lengths.values()) <= 10
    assert quantiles(lengths.values(), n=10)[8] <= 35
    longest_allowed = {"packets.py:_sound"}  # one loop over bytes, in which each call would cost a fifth
    assert {name for name, length in lengths.items() if length > 45} <= longest_allowed


def written(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what stands in a module: of functions their code without the docstring, of types what they stand for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            code = [ast.unparse(each) for each in (node.body[1:] if documented else node.body)]
            names = ", ".join(each.arg for each in node.args.args)
            yield "\n".join([names, *code]), f"{path.relative_to(ROOT)}:{node.name}"
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            said = ast.unparse(node.value)
            if said.startswith("Literal["):
                yield said, f"{path.relative_to(ROOT)}:{ast.unparse(node.targets[0])}"


def test_nothing_is_written_twice() -> None:
    """A helper, or a closed list of words, that two modules need has one home, which both import."""
    places: dict[str, set[str]] = {}
    for path in sources("pipeline"):
        for said, where in written(path):
            if len(said) > LONGEST_PHRASE or said.startswith("Literal["):
                places.setdefault(said, set()).add(where)
    assert [sorted(found) for found in places.values() if len(found) > 1] == []


@pytest.mark.parametrize(
    ("what", "homes"),
    [
        ("threading.Thread(", {"core/threads.py", "core/logs.py"}),  # the log's must not end with what it waits for
        ('with_name(f"{file.name}.new")', {"core/files.py"}),
        ("create_default_context(", {"core/addresses.py"}),
        ("unicode_escape", {"core/logs.py", "encode/dead_letter.py"}),  # the log's, and what a record holds
        ("(len(bounds) + 1)", {"lorawan/statistics.py"}),
    ],
)
def test_what_is_done_in_one_place_is_done_there(what: str, homes: set[str]) -> None:
    engine = ROOT / "pipeline"
    texts = {path.relative_to(engine).as_posix(): path.read_text(encoding="utf-8") for path in sources("pipeline")}
    assert {name for name, text in texts.items() if what in text} == homes


@pytest.mark.parametrize("name", ["Device", "DeviceModel"])
def test_the_models_of_devices_themselves_are_named_once(name: str) -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in sources("pipeline")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == name
    ]
    assert found == ["pipeline/core/record.py"]


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

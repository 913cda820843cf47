"""Device connectors are found, duplicates are refused, and a broken one breaks no other."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline import config
from pipeline.config import connector_folders
from pipeline.core.errors import ConfigError
from pipeline.plugins import discovery
from pipeline.plugins.registry import BrokenConnector, ConnectorCatalogue, FoundConnector, OwnFormat

VENDORS = Path(__file__).resolve().parents[2] / "support" / "vendors"
EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "examples" / "bench.yaml"
TH1 = (VENDORS / "acme" / "th1.py").read_text(encoding="utf-8")
YAML = (VENDORS / "plain" / "connector.yaml").read_text(encoding="utf-8")


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def found(
    every: Iterator[FoundConnector | BrokenConnector | OwnFormat] | Iterator[FoundConnector | BrokenConnector],
) -> ConnectorCatalogue:
    return ConnectorCatalogue(every)


def test_a_folder_in_both_forms() -> None:
    registry = found(connector_folders.in_folder(VENDORS))
    assert registry.names == ["acme/th-1", "acme/th-1b", "plain/jn-1"]
    assert registry.broken == []
    each = registry.get("acme/th-1b")
    assert each is not None
    assert TH1.splitlines()[each.line - 1] == "connector = Connector("
    assert TH1.splitlines()[each.examples["battery only"] - 1].strip().startswith('Example("battery only"')
    plain = registry.get("plain/jn-1")
    assert plain is not None
    assert YAML.splitlines()[plain.examples["no JSON"] - 1].endswith("description: no JSON")


def test_a_broken_one_keeps_its_error_and_the_rest_loads(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        {
            "good.py": TH1,
            "syntax.py": "x = 1\nconnector = (\n",
            "raises.py": "import math\n\nmath.sqrt(-1)\n",
            "leaves.py": "raise SystemExit(3)\n",
            "panics.py": "raise BaseException('as a compiled module does')\n",
            "text.py": "\nconnector = 'th-1'\n",
            "none.py": "x = 1\n",
            "_helper.py": "raise ValueError\n",
            "test_it.py": "raise ValueError\n",
        },
    )
    registry = found(connector_folders.in_folder(folder))
    assert registry.names == ["acme/th-1", "acme/th-1b"]
    broken = {(Path(each.file).name, each.line): each.error for each in registry.broken}
    assert set(broken) == {("syntax.py", 2), ("raises.py", 3), ("leaves.py", 1), ("panics.py", 1), ("text.py", 2)}
    assert "ValueError: math domain error" in broken["raises.py", 3]
    assert broken["text.py", 2] == "`connector` is a str; expected a Connector, or a list of them."


def test_what_a_module_prints_is_not_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = found(connector_folders.in_folder(written(tmp_path, {"th1.py": f"{TH1}\nprint('loaded')\n"})))
    assert registry.names == ["acme/th-1", "acme/th-1b"]
    assert capsys.readouterr() == ("", "loaded\n")


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "th1.py")
    os.mkfifo(tmp_path / "connector.yaml")
    assert list(connector_folders.in_folder(tmp_path)) == []


def test_a_name_that_two_declare_is_refused_in_both(tmp_path: Path) -> None:
    folder = written(tmp_path, {"one.py": TH1, "two.py": TH1.replace('"th-1"', '"th-2"')})
    registry = found(connector_folders.in_folder(folder))
    assert registry.names == []
    [one, two] = registry.broken
    assert str(folder / "two.py") in one.error
    assert str(folder / "one.py") in two.error
    assert "`acme/th-1b` is also declared" in one.error
    assert registry.fault("acme/th-1") is one


def test_what_is_reached_on_two_ways_is_one() -> None:
    every = [*connector_folders.in_folder(VENDORS), *connector_folders.in_folder(VENDORS)]
    assert ConnectorCatalogue(every).names == ["acme/th-1", "acme/th-1b", "plain/jn-1"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("degC", "degX"), "got 'degX'; did you mean"),
        (('"WeatherObserved",\n', '"WetherObserved",\n'), "Did you mean `WeatherObserved`?"),
        (('"temperature": Attribute', '"temprature": Attribute'), "Did you mean `temperature`?"),
        (('"batteryLevel": Attribute', '"batery": Attribute'), "Did you mean `batteryLevel`?"),
        (('Time("at", "ms")', 'Time("at", "minutes")'), "time.unit expected `iso`"),
        (('devices=("th-1", "th-1b")', 'devices="th-1"'), "expected a tuple of names"),
        (('vendor="acme"', 'vendor="Acme GmbH"'), "got 'Acme GmbH'"),
        (('{"co2": Attribute("co2", "ppm")})', '{"co2": Attribute("co2", "ppm")}, 60)'), "period means nothing here"),
        (('hex="32"', 'hex="3"'), "examples non-hexadecimal number"),
        (('"battery only"', '"air"'), "two have the name 'air'"),
        (("decode=decode", "decode=None"), "expected a function, got NoneType"),
        (('devices=("th-1", "th-1b")', "devices=8"), "is not as `Connector` says: TypeError"),
        (("    examples=(", "    examples=8 or ("), "is not as `Connector` says: TypeError"),
    ],
)
def test_a_declaration_that_cannot_work(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    assert change[0] in TH1
    registry = found(connector_folders.in_folder(written(tmp_path, {"th1.py": TH1.replace(*change)})))
    [broken] = registry.broken
    assert sentence in broken.error
    assert broken.line > 1


@pytest.mark.parametrize(
    ("change", "line", "sentence"),
    [
        (("vendor: plain", "vender: plain"), 1, "Did you mean `vendor`?"),
        (("format: json", "format: cbor"), 4, "`cbor` is not allowed; expected `json`, `senml` or `ultralight`"),
        (("{field: t, unit: degC}", "{field: t..u, unit: degC}"), 7, "is no path"),
        (("output: {data: {t: 21.5}}", "output: {}"), 11, "has either `data`"),
    ],
)
def test_a_yaml_that_cannot_work(tmp_path: Path, change: tuple[str, str], line: int, sentence: str) -> None:
    assert change[0] in YAML
    [broken] = connector_folders.folder(written(tmp_path, {"plain/connector.yaml": YAML.replace(*change)}))
    assert isinstance(broken, BrokenConnector)
    assert sentence in broken.error
    assert broken.line == line


def test_a_codec_in_javascript_is_refused_until_something_runs_it(tmp_path: Path) -> None:
    [broken] = connector_folders.folder(written(tmp_path, {"a/connector.yaml": YAML, "a/codec.js": "// nothing"}))
    assert isinstance(broken, BrokenConnector)
    assert broken.where == f"{tmp_path}/a/codec.js:1"
    assert "is not supported yet" in broken.error


def test_an_installed_package_brings_connectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = """[headrace.connectors]
module = vendor_of_test.th1
object = vendor_of_test.th1:connector
package = vendor_of_test
nothing = vendor_of_test.absent
"""
    files = {
        "vendor_of_test/__init__.py": "",
        "vendor_of_test/th1.py": TH1,
        "vendor_of_test-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: vendor-of-test\nVersion: 1\n",
        "vendor_of_test-1.dist-info/entry_points.txt": points,
    }
    monkeypatch.syspath_prepend(str(written(tmp_path, files)))
    registry = found(discovery.installed())
    assert registry.names == ["acme/th-1", "acme/th-1b"]
    assert ["vendor_of_test.absent" in each.error for each in registry.broken] == [True]
    for name in [name for name in sys.modules if name.startswith("vendor_of_test")]:
        monkeypatch.delitem(sys.modules, name)


def test_an_installed_package_brings_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a module, or as the format itself; a configuration that names it needs no other reason to look for it."""
    source = "from headrace import Format\nFORMAT = Format('pairs', lambda payload, at: {'t': 1.5})\n"
    files = {
        "format_of_test/__init__.py": "",
        "format_of_test/pairs.py": source,
        "format_of_test/more.py": source.replace("pairs", "triples"),
        "format_of_test-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: format-of-test\nVersion: 1\n",
        "format_of_test-1.dist-info/entry_points.txt": (
            "[headrace.connectors]\nmodule = format_of_test.pairs\nobject = format_of_test.more:FORMAT\n"
        ),
    }
    monkeypatch.syspath_prepend(str(written(tmp_path, files)))
    connector_folders._own.cache_clear()
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    content["feeds"]["city"]["routes"][0]["format"] = "pairs"
    try:
        read = config.parse(yaml.safe_dump(content), "city.yaml", {})
        assert sorted(read.connectors.formats) == ["pairs", "triples"]
        with pytest.raises(ConfigError, match="is not allowed"):
            config.parse(yaml.safe_dump(content).replace("format: pairs", "format: pears"), "city.yaml", {})
    finally:
        connector_folders._own.cache_clear()
        for name in [name for name in sys.modules if name.startswith("format_of_test")]:
            monkeypatch.delitem(sys.modules, name)


def test_the_tree_is_whole() -> None:
    registry = connector_folders.registry()
    assert registry.broken == []
    assert all(each.origin in {"tree", "package"} for each in registry.found)

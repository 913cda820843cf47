"""The connectors of connectors/README.md are connectors like any other, and its configuration uses them."""

import re
from pathlib import Path
from typing import Any

import pytest

from headrace import Connector
from pipeline.__main__ import main
from tests.connectors.conformance import check_example, check_survives, uplink

PAGE = Path(__file__).resolve().parents[2] / "connectors" / "README.md"


def of_the_page() -> Connector:
    code, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    connector = names["connector"]
    assert isinstance(connector, Connector)
    return connector


def test_its_examples_become_what_they_say() -> None:
    connector = of_the_page()

    assert len(connector.examples) == 3
    for example in connector.examples:
        check_example(connector, example)


def test_every_length_of_bytes_is_refused_or_decoded() -> None:
    connector = of_the_page()
    sent = uplink(connector.examples[0])

    for size in range(9):
        check_survives(connector, type(sent)(bytes(size)))


def test_in_a_folder_of_its_own_all_that_the_page_says_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    code, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    config, folder_form = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    acme = tmp_path / "my-connectors" / "acme"
    (acme / "ws-2").mkdir(parents=True)
    (acme / "th_1.py").write_text(code, encoding="utf-8")
    (acme / "ws-2" / "connector.yaml").write_text(folder_form, encoding="utf-8")
    city = tmp_path / "city.yaml"
    city.write_text(config, encoding="utf-8")

    assert main(["connectors", "check", str(tmp_path / "my-connectors")]) == 0
    assert "connectors: 2, with faults: 0" in capsys.readouterr().out
    for topic, payload in (("acme/th/0001", "ffce3764"), ("acme/ws/0001", b'{"t": -5}'.hex())):
        assert main(["explain", str(city), "--topic", topic, "--payload", payload, "--hex"]) == 0
        assert "-> -5.0 (CEL)  " in capsys.readouterr().out


def test_its_format_beside_a_configuration_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    _, code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "my-connectors").mkdir()
    (tmp_path / "my-connectors" / "semicolons.py").write_text(code, encoding="utf-8")
    assert main(["connectors", "check", str(tmp_path / "my-connectors")]) == 0
    assert "formats: 1, with faults: 0" in capsys.readouterr().out

    config, _ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    head, _, _ = config.partition("    routes:")
    route = 'routes: [{topic: "site/{device}", format: semicolons, connector: loggers}]'
    assert route in page
    loggers = "{model: WeatherObserved, device: {topic: device}, observed_at: arrival, location: [3.7, 51.05], "
    mapped = "attributes: {temperature: {field: t, unit: degC}}}"
    city = tmp_path / "city.yaml"
    text = f"{head}    {route}\nconnectors:\n  loggers: {loggers}{mapped}\n".replace("acme/#", "site/#")
    city.write_text(text, encoding="utf-8")
    assert main(["explain", str(city), "--topic", "site/7", "--payload", "t;21.5\nrh;45"]) == 0
    assert "format semicolons, 2 fields" in capsys.readouterr().out


def test_every_file_that_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not link.startswith("https:") and not (PAGE.parent / link).exists()] == []

"""The connector of connectors/README.md is a connector like any other."""

import re
from pathlib import Path
from typing import Any

from headrace import Connector
from tests.connectors.conformance import check_example, check_survives, uplink

PAGE = Path(__file__).resolve().parents[2] / "connectors" / "README.md"


def of_the_page() -> Connector:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
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


def test_every_file_that_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not link.startswith("https:") and not (PAGE.parent / link).exists()] == []

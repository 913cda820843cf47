"""Plain lines of a registry are read as the YAML parser reads them, whatever stands between and behind them."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.device_rows import Row, from_yaml, parsed, plain
from pipeline.config.findings import Finding

PLAIN = """# Devices of the city

- key: th-17                 # the hall
  dev_eui: "0011223344556677"
  aliases: [hall-3, "0644", no]
  name: "Hall, third floor: left"
  location: [3.7174, -51.05]

  attributes: {sensorHeight: 1.5, x: "1.5", on: true, gone: null}
  sessions: [{dev_addr: 01ab23cd, nwk_s_key: 000102, app_s_key: ~x}]
  tags: {}
- {key: th-18, tags: {a: b, c: 1e5}, location: [1, 2], sessions: [{dev_addr: "1"}]}
- key: null
"""
OTHERS = (
    "- key: &a th-1\n- key: *a\n",
    "- key: th-1\n  name: Straße 7\n  name: twice\n",
    "- key: a\n  sessions:\n    - {dev_addr: 1}\n- key: b\n",
    "- key: a\n   name: b\n",
    "- key: a\nname: b\n",
    "- key: a\n---\n- key: b\n",
    "- key: a\n...\n",
    "- key: a\n  name: 'it''s'\n- key: \"\\u0041\"\n",
    "- key: a\n  name: |\n    - key: b\n- key: c\n",
    "- key: a\n  name: b\n    c\n- key: d\n",
    "- key: a\n  tags: {a: b\n  , c: d}\n",
    "- key: a\n  name: \x00\n",
    "- key: a\n  name: b #c\n  prefer: b#c\n  model: a:b\n",
    "- a\n- key: b\n",
    "key: a\n",
    "  key: a\n",
    "- {key: a, key: b}\n- {key: a,}\n- {key: a} # all\n- {key: a}x\n",
    "- key: a\n  tags: {a: b, a: c}\n- key: c\n  aliases: [a, [b]]\n",
    "- key: a\n  interval: 10min\n  at: 12:30\n",
    "- key: -\n- key: - a\n- key: -a\n- key: ? a\n- key: !x a\n- key: %a\n- key: @a\n",
    "- key: a\r\n  name: b\r\n",
    "- key: a\n\tname: b\n",
    "- key: a",
    "",
    "# nothing\n",
)
PIECES = [
    *(
        "- key: ",
        "- {key: ",
        "  name: ",
        "  tags: ",
        "\n",
        "\n",
        " #",
        "  ",
        "- ",
        ": ",
        "a",
        "th-1",
        "é",
        "10",
        "-1.5",
    ),
    *(
        "{a: b}",
        "[a, b]",
        "[{a: b}]",
        "[",
        "]",
        "{",
        "}",
        ", ",
        '"',
        '"a, b"',
        "'",
        "null",
        "~",
        "&a ",
        "*a",
        "\t",
        "|",
    ),
    *(
        "true",
        "attributes: ",
        "  attributes: {x: 1}\n",
        "- key: b\n",
        "---",
        "\ufeff",
        "\x85",
        "\u2028",
        "<<: ",
        ":",
        "\\",
    ),
]


def same(text: str) -> None:
    slow, fast = list(parsed(text)), list(from_yaml(text))
    rows = [each for each in fast if isinstance(each, Row)]
    assert rows == [each for each in slow if isinstance(each, Row)]
    assert list(map(placed, fast)) == list(map(placed, slow))


def placed(each: Row | Finding) -> object:
    """Return a finding without the column that YAML's own sentence may hold."""
    return each if isinstance(each, Row) else replace(each, message=re.sub(r"\d+", "", each.message))


@pytest.mark.parametrize("text", OTHERS)
@pytest.mark.parametrize("before", ["", PLAIN])
def test_the_parser_goes_on_where_lines_are_not_plain(before: str, text: str) -> None:
    same(before + text)


def test_plain_lines_need_no_parser() -> None:
    text = PLAIN.replace(", app_s_key: ~x", "")
    rows = plain(text, str, str)
    while True:
        try:
            next(rows)
        except StopIteration as end:
            assert end.value == (len(text), text.count("\n"))
            return


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_both_readers_agree(text: str) -> None:
    same(text)
    same("- key: first\n  tags: {a: b}\n" + text)

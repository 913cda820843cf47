"""The log: what a line is, for a program and for a person; what it never holds; and how much of it is written."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core import logs
from pipeline.core.logs import RESERVED, Lines, Log
from tests.test_architecture import sources

LOG = Log("pipeline.test")


class Written:
    """What a handler of ours writes, on a clock of the test's own."""

    def __init__(self, form: logs.Form = "json") -> None:
        self.now = 0.0
        self.stream = io.StringIO()
        logging.getLogger().addHandler(Lines(form, stream=self.stream, clock=lambda: self.now))
        logs.set_level("info")

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_line_for_a_program() -> None:
    written = Written()
    LOG.warning("A filter's QoS is lowered.", feed="Zürich\n", filters=["a/#"], qos=0, file=Path("a"))
    [line] = written.lines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning",
        "logger": "pipeline.test",
        "message": "A filter's QoS is lowered.",
        "feed": "Zürich\n",
        "filters": ["a/#"],
        "qos": 0,
        "file": "a",
    }


HOSTILE = "a\x1b[2Jb\x9b2Jc\u2028d\x85e\u202ef\ud800g\r\nh"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_text_from_outside_is_no_command_and_no_line(form: logs.Form) -> None:
    written = Written(form)
    LOG.warning("Refused.", text=HOSTILE, texts=[HOSTILE])
    logging.getLogger("some.library").warning(f"It says {HOSTILE.splitlines()[0]}\x9b\u202e")  # noqa: G004
    first, second = written.lines()
    assert first.isprintable()
    assert second.isprintable()
    if form == "json":
        assert json.loads(first)["text"] == HOSTILE
        assert json.loads(first)["texts"] == [HOSTILE]


def test_a_library_whose_arguments_do_not_fit_harms_nobody() -> None:
    record = logging.makeLogRecord({"name": "some.library", "msg": "%d of %d", "args": ("canary",)})
    assert json.loads(logs.as_json(record))["text"] == "its arguments do not fit it"


def test_a_line_for_a_person() -> None:
    written = Written("console")
    LOG.info("The feed reads.", feed="city", problem='two\nlines "quoted"', left=0, file=Path("a b"))
    [line] = written.lines()
    shown = r'feed=city problem="two\nlines \"quoted\"" left=0 file="a b"'
    assert line[8:] == f" INFO    The feed reads.  {shown}"


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_error_that_nobody_expected_is_told_without_its_text(form: logs.Form) -> None:
    written = Written(form)
    try:
        dict[str, str]()["canary"]
    except KeyError:
        LOG.bug("A bug of ours. Please report it.", feed="city")
    [line] = written.lines()
    assert "canary" not in line
    assert "KeyError" in line
    assert "test_logs.py" in line


def test_a_library_is_heard_from_warning_on_and_on_one_line() -> None:
    written = Written()
    logging.getLogger("aiokafka").setLevel(logging.NOTSET)  # `headrace tail` in the same process makes it silent
    logs.set_level("debug")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger("aiokafka.conn").log(level, "Request %s\nwith what it holds: %s", "Fetch", "more")
    [line] = written.lines()
    assert json.loads(line)["message"] == "Request %s"
    assert json.loads(line)["text"] == "Request Fetch\nwith what it holds: more"


def test_a_message_that_comes_too_often_is_cut_and_counted() -> None:
    written = Written()
    for at in range(1000):
        LOG.info("Often.", number=at)
    LOG.info("Seldom.")
    assert [json.loads(line).get("number") for line in written.lines()] == [*range(20), None]
    written.now = 60.0
    for at in range(2):
        LOG.info("Often.", number=at)
    first, second = (json.loads(line) for line in written.lines()[21:])
    assert first["left_out"] == 980
    assert "left_out" not in second


def test_messages_without_end_fill_no_memory() -> None:
    written = Written()
    for at in range(5000):
        logging.getLogger("some.library").warning(f"Message {at}")  # noqa: G004
    assert len(written.lines()) == 5000
    [handler] = [each for each in logging.getLogger().handlers if isinstance(each, Lines)]
    [limit] = handler.filters
    assert isinstance(limit, logs.Limit)
    assert len(limit._seen) <= 1000


def test_the_level_changes_while_it_runs() -> None:
    written = Written()
    for level in ("debug", "info", "error"):
        logs.set_level(level)
        LOG.debug("A.", at=level)
        LOG.info("B.", at=level)
        LOG.warning("C.", at=level)
    told = [(each["message"], each["at"]) for each in map(json.loads, written.lines())]
    assert told == [("A.", "debug"), ("B.", "debug"), ("C.", "debug"), ("B.", "info"), ("C.", "info")]


def test_one_handler_however_often_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("json", "info")
    assert logs.form() == "json"
    logs.begin("auto", "info")
    assert logs.form() == "json", "nobody reads on a terminal"
    LOG.info("Once.")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_log_that_nobody_takes_stops_nothing() -> None:
    stream = io.StringIO()
    logging.getLogger().addHandler(Lines("json", stream=stream))
    stream.close()
    LOG.error("Gone.")


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sources("pipeline", "connectors"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_LOG."):
                yield path, node


def test_messages_are_constant_and_fields_have_free_names() -> None:
    found = list(calls())
    assert len(found) > 30
    for path, call in found:
        where = f"{path}:{call.lineno}"
        [message] = call.args
        if path.name != "sender.py" or isinstance(message, ast.Constant):  # its `_say` passes a message on
            assert isinstance(message, ast.Constant), where
            assert str(message.value).endswith("."), where
        assert not {keyword.arg for keyword in call.keywords} & RESERVED, where


def test_only_the_log_uses_the_standard_librarys() -> None:
    """But for the admin server, which silences its library."""
    users = {path.name for path in sources("pipeline") if "import logging" in path.read_text(encoding="utf-8")}
    assert users == {"logs.py", "server.py"}

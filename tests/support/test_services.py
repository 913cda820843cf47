"""`python -m tests.support.services` as a person asks it for help."""

import pytest

from tests.support import services


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--port", 2)])
def test_a_question_starts_nothing(argument: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        services.main([argument])
    assert ended.value.code == code
    told = capsys.readouterr()
    assert "python -m tests.support.services" in told.out + told.err

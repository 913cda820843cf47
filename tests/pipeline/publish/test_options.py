"""Where an OAuth token comes from, and when it is asked for again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from pipeline.publish.options import Sasl, TokenProvider


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    async def work() -> None:
        file = tmp_path / "token"
        provider = TokenProvider(Sasl("OAUTHBEARER", token_file=file))
        for token in ("first", "second"):
            file.write_text(token + "\n", encoding="ascii")
            assert await provider.token() == token
        file.unlink()
        with pytest.raises(FileNotFoundError):
            await provider.token()

    asyncio.run(work())


@pytest.mark.parametrize(("seconds", "asked"), [(600.0, 1), (10.0, 3)])
def test_an_endpoint_is_asked_before_the_token_expires(
    seconds: float, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        provider = TokenProvider(Sasl("OAUTHBEARER", token_url="https://example.invalid/token"))
        answers = iter(["a", "b", "c"])
        monkeypatch.setattr(provider, "_from_endpoint", lambda: (next(answers), seconds))
        tokens = [await provider.token() for _ in range(3)]
        assert len(set(tokens)) == asked

    asyncio.run(work())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "", "ftp://example.invalid/"])
def test_only_http(url: str) -> None:
    async def work() -> None:
        with pytest.raises(KafkaConnectionError, match="neither https nor http"):
            await TokenProvider(Sasl("OAUTHBEARER", token_url=url)).token()

    asyncio.run(work())

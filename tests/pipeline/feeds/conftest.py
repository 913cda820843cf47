"""The fixture that plays a scenario against the feed and a scripted broker, on both event loops."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.pipeline.feeds.scripted_broker import LOOPS, Scenario, rig


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[..., None]:
    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(90), rig(**options) as made:
                await scenario(made)

        request.param(main())

    return run

"""What a dead letter holds of a message, and how large it may become."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.delivery import Cut, Message
from pipeline.core.errors import Reason
from pipeline.encode.dead_letter import DeadLetters, Keep
from tests.pipeline.flow import Flow, headers_of


@pytest.mark.parametrize(("keep", "kept"), [("full", None), ("hash", "0"), ("none", "0")])
def test_a_letter_without_its_payload_tells_how_long_that_was(keep: Keep, kept: str | None) -> None:
    letters = DeadLetters("bench", "bench.dead-letter.v1", keep)
    about: dict[str, Any] = {"feed": "f", "connector": "", "stage": "s", "reason": Reason.MALFORMED, "detail": "d"}
    headers = headers_of(letters.record(Message("t", b"{bad", 1), **about))
    assert headers.get("ce_payloadkept") == kept
    assert headers.get("ce_payloadsize") == (kept and "4")
    cut = letters.record(Message("t", Cut(b"{bad", 9), 1), **about)
    assert "ce_payloadhash" not in headers_of(cut)
    assert headers_of(cut)["ce_payloadsize"] == "9"
    assert type(cut.value) is bytes


def test_a_dead_letter_is_no_larger_than_its_payload_and_some_kilobytes() -> None:
    """MQTT's topics have up to 64 KiB: a key and a header of that size would not fit a topic of small messages."""
    flow = Flow()
    [letter] = flow.put(b"{}", topic="elsewhere/" + "\ue000" * 20_000)
    assert len(letter.destination.key) == 1024
    assert len(letter.headers) < 4096
    assert headers_of(letter)["ce_reason"] == "topic_invalid"
    assert not letter.destination.lasting

"""The demo's brokers: only this machine reaches them, and a missing extra is a sentence."""

from pathlib import Path

import pytest

from pipeline.core.errors import StartError
from pipeline.demo import stack


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "find_spec", lambda name: None if name == "rich" else object())
    with pytest.raises(StartError, match=r"needs rich, .* pip install 'headrace\[demo\]'"):
        stack.require_extra()


def test_both_brokers_listen_on_the_loopback_interface_only(tmp_path: Path) -> None:
    stack.mqtt_command(tmp_path, 21_000)
    listens = [line for line in (tmp_path / "rumqttd.toml").read_text().splitlines() if line.startswith("listen")]
    assert listens == ['listen = "127.0.0.1:21000"']
    command = stack.kafka_command(tmp_path, 21_001)
    assert {part for part in command if "://" in part} == {"tcp://127.0.0.1:21001", "memory://tansu/"}

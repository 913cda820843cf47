"""What connectors/network_servers/README.md says is so: its dialects are there, and its feeds are configurations."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from textwrap import indent

import pytest

from pipeline.config import load
from pipeline.config.feeds import MqttFeedConfig
from pipeline.core.mqtt_topics import TopicPattern
from pipeline.plugins.discovery import dialects
from pipeline.sdk.dialect import Dialect
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import UPLINKS

PAGE = Path(__file__).resolve().parents[3] / "connectors" / "network_servers" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
FOUND = {each.name for each in dialects() if isinstance(each, Dialect)}
ROWS = re.findall(r"^\| `([a-z0-9_]+)` \|", TEXT, re.MULTILINE)
FEEDS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
HEAD = 'tenant: ghent\nkafka: {bootstrap_servers: ["127.0.0.1:9092"]}\nfeeds:\n'
SECRETS = {"TTS_API_KEY": "a", "LIVE_OBJECTS_API_KEY": "b"}


def dialect_of(feed: str) -> str:
    named = re.search(r"dialect: ([a-z_0-9]+)", feed)
    return named.group(1) if named else "semtech_udp"


def test_every_dialect_has_a_row() -> None:
    assert sorted(ROWS) == sorted(FOUND)


@pytest.mark.parametrize("feed", FEEDS, ids=dialect_of)
def test_every_feed_is_a_configuration(feed: str, tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(HEAD + indent(feed, "  "), encoding="utf-8")
    assert load(file, SECRETS).feeds


@pytest.mark.parametrize("feed", [each for each in FEEDS if dialect_of(each) in UPLINKS], ids=dialect_of)
def test_the_filters_of_a_feed_take_the_servers_messages(feed: str, tmp_path: Path) -> None:
    name = dialect_of(feed)
    file = tmp_path / "city.yaml"
    file.write_text(HEAD + indent(feed, "  "), encoding="utf-8")
    [configured] = load(file, SECRETS).feeds.values()
    assert isinstance(configured, MqttFeedConfig)
    topic, _ = UPLINKS[name]
    assert any(TopicPattern(each).matches(topic) for each in configured.subscribe)
    if name == "aws_iot":
        for topic, _ in EVENTS[name]:
            assert any(TopicPattern(each).matches(topic) for each in configured.subscribe)


def test_the_bridges_configuration_is_toml() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    bridge = tomllib.loads(block)
    assert bridge["backend"]["type"] == "basic_station"
    assert bridge["integration"]["mqtt"]["event_topic_template"].startswith("eu868/gateway/")

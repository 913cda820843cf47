"""Feeds of a configuration by their section."""

from pipeline.config.feeds import MqttFeedConfig
from pipeline.config.root import Config


def mqtt_feed(config: Config, name: str = "city") -> MqttFeedConfig:
    feed = config.feeds[name]
    assert isinstance(feed, MqttFeedConfig)
    return feed

"""The stages of a feed on which a LoRaWAN network server or gateways speak, from its configuration."""

from __future__ import annotations

from pipeline.choice import Choice
from pipeline.compiler import Compiler, connectors_of
from pipeline.config.dialects import chosen
from pipeline.config.feeds import MqttFeed
from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.root import Config
from pipeline.events import Events
from pipeline.identify import Identify, Rules, Strangers
from pipeline.refusals import Refusals
from pipeline.unwrap import Unwrap, Ways
from pipeline.uplink import Names

_DEVICE_INTERVAL = 3600.0


class Nobody:
    """Takes no note of unknown devices."""

    def note(self, eui: str, names: Names, arrival: int) -> None:
        """Do nothing."""


def unwrap(
    config: Config, feed: MqttFeed | SemtechUdpFeed, compiler: Compiler, refusals: Refusals, strangers: Strangers
) -> Unwrap:
    """Return the first stage of the feed, with all behind it up to the publisher."""
    accept = config.accepts_unknown
    identify = Identify(
        compiler.directory,
        Rules(compiler.uplink_fan, Choice(connectors_of(config)) if accept else None, feed.prefer),
        publisher=refusals.publisher,
        refusals=refusals,
        strangers=strangers,
        device_interval=_DEVICE_INTERVAL,
    )
    events = Events(
        config.tenant,
        config.device_events_topic,
        directory=compiler.directory,
        fan=identify.told,
        refusals=refusals,
    )
    dialects = chosen(str(feed.dialect))
    return Unwrap(dialects, Ways(identify, events), refusals, max_payload=feed.max_payload)

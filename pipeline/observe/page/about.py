"""What the page says of the configuration: names and addresses, no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.config.dialects import Deduplicate
from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.root import AnyConnector, Config
from pipeline.config.used import UsedConnector

_PATIENCE = 0.75  # seconds; with one until the next look, what is stuck shows within two


@dataclass(frozen=True, slots=True)
class About:
    """What is told of one configuration.

    feeds: kind and source by name. connectors: models by name. called: a vendor's, by the operator's name for it.
    patience: seconds by feed, after which a message that has no fate is late. samples: whether payloads may be shown.
    """

    tenant: str = ""
    feeds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    connectors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    patience: Mapping[str, float] = field(default_factory=dict)
    samples: bool = False


def about(config: Config) -> About:
    """Read a configuration."""
    return About(
        config.tenant,
        {
            name: (feed.kind, feed.listen if isinstance(feed, SemtechUdpFeed) else str(feed.url))
            for name, feed in config.feeds.items()
        },
        {_called(name, connector): connector.models for name, connector in config.connectors.items()},
        {name: each.use for name, each in config.connectors.items() if isinstance(each, UsedConnector)},
        {name: _patience(config, name) for name in config.feeds},
        config.admin.payload_samples,
    )


def _patience(config: Config, feed: str) -> float:
    """Return how long a message of a feed may wait: as it is told to, and most of a second for Kafka."""
    of = config.feeds[feed]
    window = 0.0 if of.dialect is None else (of.deduplicate or Deduplicate()).window
    return round(_PATIENCE + config.kafka.linger + window, 3)


def _called(name: str, connector: AnyConnector) -> str:
    """Return what records and dead letters call a connector: a vendor's by its own name."""
    return connector.use if isinstance(connector, UsedConnector) else name

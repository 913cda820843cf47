"""What the page says of the configuration: names and addresses, no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.root import AnyConnector, Config
from pipeline.config.used import UsedConnector


@dataclass(frozen=True, slots=True)
class About:
    """feeds: kind and source by name. connectors: models by name. called: a vendor's, by the operator's name for it."""

    tenant: str = ""
    feeds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    connectors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)


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
    )


def _called(name: str, connector: AnyConnector) -> str:
    """Return what records and dead letters call a connector: a vendor's by its own name."""
    return connector.use if isinstance(connector, UsedConnector) else name

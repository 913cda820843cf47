"""What differs between the configuration in force and the file as it is now, so that nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.config.findings import Finding
from pipeline.config.root import AnyFeed, Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.plugins.registry import ConnectorCatalogue, FoundConnector, OwnFormat

_STAGES = {"routes", "dialect", "deduplicate", "frames", "prefer"}
"""Keys of a feed that are about its messages, not about its connection."""
_FIXED = ("tenant", "kafka", "state_dir")


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of feeds.

    Attributes:
        reconnected: Their connection is another.
        rewired: Only what becomes of their messages is.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reconnected: tuple[str, ...] = ()
    rewired: tuple[str, ...] = ()
    devices: bool = False

    @property
    def none(self) -> bool:
        """Whether feeds and devices stay as they are."""
        return self == Changes()


def changes(old: Config, new: Config) -> Changes:
    """Compare two configurations."""
    both = [name for name in new.feeds if name in old.feeds]
    reconnected = [name for name in both if _connection(old.feeds[name]) != _connection(new.feeds[name])]
    kept = [name for name in both if name not in reconnected]
    return Changes(
        added=tuple(name for name in new.feeds if name not in old.feeds),
        removed=tuple(name for name in old.feeds if name not in new.feeds),
        reconnected=tuple(reconnected),
        rewired=tuple(name for name in kept if _stages(old, name) != _stages(new, name)),
        devices=list(old.registered) != list(new.registered),
    )


def refused(old: Config, new: Config) -> Iterator[Finding]:
    """Yield what cannot change while the worker runs."""
    fix = "Restart the worker, which loses no message; or take the change back."
    for name in _FIXED:
        if _plain(getattr(old, name)) != _plain(getattr(new, name)):
            yield Finding((name,), "cannot change while the worker runs.", fix)
    if old.admin.listen != new.admin.listen:
        yield Finding(("admin", "listen"), "cannot change while the worker runs.", fix)


def fresh(old: ConnectorCatalogue, new: ConnectorCatalogue) -> list[FoundConnector]:
    """Return the connectors of folders that are new, or that are not as they were."""
    known = {_mark(each) for each in old.found}
    return [each for each in new.found if each.origin == "folder" and _mark(each) not in known]


def _connection(feed: AnyFeed) -> dict[str, Any]:
    return feed.model_dump(exclude=_STAGES)


def _stages(config: Config, name: str) -> tuple[Any, ...]:
    """Return all that the stages of a feed are made of."""
    feed = config.feeds[name]
    routed = {route.connector for route in feed.routes}
    names = sorted(config.connectors) if feed.dialect else sorted(each for each in routed if each is not None)
    declared = [(each, config.connectors[each]) for each in names]
    used = {each.use for _, each in declared if isinstance(each, UsedConnectorConfig)}
    vendors = config.found.names if feed.dialect else sorted(used)
    return (
        feed.model_dump(include=_STAGES),
        [(each, _plain(connector)) for each, connector in declared],
        [_mark(own) for route in feed.routes if (own := config.found.formats.get(route.format or "")) is not None],
        [(each, _mark(found)) for each in vendors if (found := config.found.get(each)) is not None],
        {model: _plain(stream) for model, stream in config.streams.items()},
        config.area,
        _plain(config.dead_letters),
        config.accepts_unknown,
    )


def _mark(found: FoundConnector | OwnFormat) -> tuple[object, ...]:
    """Return what tells a connector or format from another, or from itself before its file was changed."""
    made = found.connector if isinstance(found, FoundConnector) else found.format
    return (found.file, found.line, found.digest or id(made))


def _plain(value: Any) -> Any:  # noqa: ANN401 - a section, or a plain value
    return value.model_dump() if hasattr(value, "model_dump") else value

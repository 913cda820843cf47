"""The configuration, read again while messages flow: SIGHUP asks, and a file that cannot be used changes nothing.

All that can fail comes first: the file is read and judged in a thread of its own, changed connectors are held to their
examples (and may hang, or want to end the process), new topics are made ready, stages are compiled. Then only what
differs is touched, on the event loop's thread and between two messages; connections whose keys are the same survive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.build import options as wiring
from pipeline.config.findings import Finding, InvalidConfigError
from pipeline.config.loading import Loaded
from pipeline.config.root import AnyFeed, Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.core import logs
from pipeline.core.delivery import Message, Stage
from pipeline.core.errors import ConfigError, HeadraceError
from pipeline.core.logs import Log
from pipeline.core.threads import StuckError, apart
from pipeline.devices.registry import TakesDevices
from pipeline.http.server import AdminServer
from pipeline.observe.health import ConfigStatus
from pipeline.plugins.registry import ConnectorCatalogue, FoundConnector, OwnFormat
from pipeline.publish import Publisher
from pipeline.worker.feeds import FeedSupervisor
from pipeline.worker.process import Systemd

if TYPE_CHECKING:
    from pipeline.conformance.examples import ExampleFault

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


_LOG = Log(__name__)
_PATIENCE = 60.0  # seconds; 100,000 devices are read in two


@dataclass(frozen=True, slots=True)
class ReloadTargets:
    """What a reload may touch.

    Attributes:
        devices: All that look devices up.
        taken: Called with each configuration that comes into force.
    """

    feeds: FeedSupervisor
    publisher: Publisher
    admin: AdminServer
    devices: Sequence[TakesDevices]
    taken: Callable[[Config], None]


class Reload:
    """Serves SIGHUP.

    Args:
        read: Returns the configuration as its file is now, or raises HeadraceError with what is wrong.
        patience: Seconds that reading and judging may take.
    """

    def __init__(
        self,
        loaded: Loaded,
        read: Callable[[], Loaded],
        touched: ReloadTargets,
        in_force: ConfigStatus,
        systemd: Systemd,
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._config = loaded.config
        self._read = read
        self._touched = touched
        self._in_force = in_force
        self._systemd = systemd
        self._patience = patience
        self._asked = asyncio.Event()
        in_force.file, in_force.hash = loaded.file, loaded.config.fingerprint

    def ask(self) -> None:
        """Read everything again, once what is being read now is done; never blocks."""
        self._asked.set()

    async def run(self) -> None:
        """Serve what is asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._systemd.reloading()
            await self._once()
            self._systemd.reloaded()

    async def _once(self) -> None:
        try:
            loaded, change = await apart(self._looked_at, self._patience)
            await self._make_ready(loaded.config)
            stages = {name: self._touched.feeds.stages(loaded.config, name) for name in change.rewired}
        except StuckError as place:
            said = (
                f"Reading it takes longer than {self._patience:g} s; the configuration in use stays. It is at {place}"
            )
            self._keep([f"{said}: mend that, and restart the worker, in which it goes on."])
        except HeadraceError as problem:
            self._keep(str(problem).splitlines())
        except Exception as bug:  # noqa: BLE001 - logged; messages go on as before
            self._in_force.reload_failed([f"A bug of ours: {type(bug).__name__}."])
            _LOG.bug("SIGHUP: refused by a bug of ours, what is in use stays. Please report it.")
        else:
            await self._apply_guarded(loaded.config, change, stages)

    async def _apply_guarded(self, new: Config, change: Changes, stages: Mapping[str, Stage[Message]]) -> None:
        try:
            await self._apply(new, change, stages)
        except Exception as bug:  # noqa: BLE001 - logged; whatever was applied stays, and messages go on
            self._in_force.reload_failed(
                [f"A bug of ours: {type(bug).__name__}. It was applied in part: restart the worker."]
            )
            _LOG.bug("SIGHUP: applied in part because of a bug of ours: restart the worker. Please report it.")

    def _keep(self, why: list[str]) -> None:
        self._in_force.reload_failed(why)
        _LOG.error("SIGHUP: refused, what is in use stays.", problem=why)

    def _looked_at(self) -> tuple[Loaded, Changes]:
        """Return what the file holds now, and what differs; all that it names can be read."""
        loaded = self._read()
        change, token = self._judged(loaded), wiring.admin_token(loaded.config)
        if token is not None:
            token()
        return loaded, change

    def _judged(self, loaded: Loaded) -> Changes:
        """Return what differs.

        Raises:
            ConfigError: what cannot change while the worker runs, or a connector that is not what its examples say.
        """
        new = loaded.config
        errors = loaded.placed(refused(self._config, new))
        if errors:
            raise InvalidConfigError(loaded.file, errors, "the configuration in use stays")
        wrong = [str(fault) for found in fresh(self._config.found, new.found) for fault in _faults(found)]
        if wrong:
            raise ConfigError("\n".join(["Examples of connectors fail; the configuration in use stays.", "", *wrong]))
        return changes(self._config, new)

    async def _make_ready(self, new: Config) -> None:
        further = wiring.all_topics(new) - wiring.all_topics(self._config)
        if further:
            await self._touched.publisher.include(further, wiring.create_topics(new))

    async def _apply(self, new: Config, change: Changes, stages: Mapping[str, Stage[Message]]) -> None:
        touched, before, self._config = self._touched, self._config, new
        touched.taken(new)
        touched.admin.token = wiring.admin_token(new)
        if before.log != new.log:
            logs.begin(new.log.format, new.log.level)
        if change.devices:
            for each in touched.devices:
                each.take(new.registered)
        for name, stage in stages.items():
            await touched.feeds.rewire(name, stage)
        for name in change.removed:
            await touched.feeds.remove(name, new.drain_timeout)
        for name in change.reconnected:
            await touched.feeds.reconnect(new, name)
        for name in change.added:
            touched.feeds.add(new, name)
        self._in_force.applied(new.fingerprint)
        self._say(new, change)

    def _say(self, new: Config, change: Changes) -> None:
        names = {"added": change.added, "removed": change.removed, "reconnected": change.reconnected}
        told: dict[str, object] = {
            name: list(each) for name, each in {**names, "rewired": change.rewired}.items() if each
        }
        if change.devices:
            told["devices"] = len(new.registered)
        _LOG.info("SIGHUP: the configuration is reloaded.", hash=self._in_force.hash, **told)


def _faults(found: FoundConnector) -> Iterator[ExampleFault]:
    """Yield what a connector's examples do not become."""
    from pipeline.conformance.examples import Bench, faults  # noqa: PLC0415 - nothing else of a worker needs it

    bench = Bench(found)
    for example in found.connector.examples:
        yield from faults(bench, example)

"""The stages of a feed on which a LoRaWAN network server or gateways speak, from its configuration."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pipeline.build.connectors import Compiler, connectors_of
from pipeline.build.context import WorkerContext
from pipeline.config.feeds import DeduplicateConfig, FeedConfig, FramePolicyConfig, chosen
from pipeline.config.root import Config
from pipeline.core.delivery import Stage
from pipeline.encode.dead_letter import Refusals
from pipeline.lorawan.dedupe import Dedupe
from pipeline.lorawan.device_events import DeviceEvents
from pipeline.lorawan.identify import ConnectorMatcher, Identify, Rules
from pipeline.lorawan.sessions import Sessions
from pipeline.lorawan.statistics import FrameStatistics, RadioSampler, RadioStatistics
from pipeline.lorawan.unwrap import Heard, Outputs, Told, Unwrap
from pipeline.normalise.normalise import UplinkStage
from pipeline.observe.connector_cpu import MeteredUplinks

Item = TypeVar("Item")


class Watch(Protocol):
    """Puts itself before a stage, for a command that wants to see what is said."""

    def __call__(self, stage: Stage[Item]) -> Stage[Item]:
        """Return what takes the stage's place."""


def _unwatched(stage: Stage[Item]) -> Stage[Item]:
    return stage


def unwrap(
    config: Config,
    feed: FeedConfig,
    compiler: Compiler,
    refusals: Refusals,
    shared: WorkerContext,
    *,
    watch: Watch = _unwatched,
) -> Unwrap:
    """Return the first stage of the feed, with all behind it up to the publisher.

    Args:
        watch: Stands before the stages of uplinks, frames and events.
    """
    identify = Identify(
        shared.directory,
        Rules(compiler.uplink_fan, matcher(config), shared.frames, feed.prefer),
        out=UplinkStage(refusals),
        refusals=refusals,
        strangers=shared.strangers,
        room=shared.rooms.devices,
    )
    events = DeviceEvents(
        config.tenant,
        config.device_events_topic,
        directory=shared.directory,
        connector=identify.connector_of,
        gateways=compiler.gateways(),
        ledger=shared.raw.setdefault(refusals.feed, FrameStatistics()) if feed.brings_frames else None,
        heard=shared.watch.gateway,
        names=shared.names,
        refusals=refusals,
        allowance=shared.gateway_events,
    )
    metered = MeteredUplinks(identify, identify.connector, shared.costs, shared.slow)
    uplinks = watch(RadioSampler(metered, shared.radio.setdefault(refusals.feed, RadioStatistics())))
    told = watch(events)
    frames = watch(_frames(feed, uplinks, told, refusals, shared)) if feed.brings_frames else None
    dialects = chosen(str(feed.dialect))
    return Unwrap(
        dialects, Outputs(uplinks, told, frames), refusals, max_payload=feed.max_payload, room=shared.rooms.topics
    )


def matcher(config: Config) -> ConnectorMatcher | None:
    """Return what finds the connector of a device that no registry knows; None where each must be registered."""
    return ConnectorMatcher(connectors_of(config)) if config.accepts_unknown else None


def _frames(
    feed: FeedConfig,
    uplinks: Stage[Heard],
    events: Stage[Told],
    refusals: Refusals,
    shared: WorkerContext,
) -> Dedupe:
    """Return the stages of raw frames: copies become one transmission, and that an uplink of its session."""
    ledger = shared.raw[refusals.feed]
    policy = feed.frames or FramePolicyConfig()
    sessions = Sessions(
        shared.counters,
        shared.store,
        uplinks=uplinks,
        events=events,
        policy=policy,
        ledger=ledger,
        frames=shared.frames,
        refusals=refusals,
        joins=shared.joins,
    )
    window = (feed.deduplicate or DeduplicateConfig()).window
    return Dedupe(window, sessions, crc=policy.crc_error, ledger=ledger, refusals=refusals)

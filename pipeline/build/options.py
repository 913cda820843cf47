"""From the configuration's values to the parts that run: options, plans, routes, stages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from pipeline.build.connectors import Compiler, format_fan
from pipeline.build.context import WorkerContext
from pipeline.build.stages import unwrap
from pipeline.config.feeds import JSON, RouteConfig
from pipeline.config.feeds import MqttFeedConfig as FeedConfig
from pipeline.config.feeds import SemtechUdpFeedConfig as UdpConfig
from pipeline.config.kafka import SaslConfig, TlsConfig, read_secret
from pipeline.config.root import Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.core.addresses import Tls, host_port
from pipeline.core.delivery import Message, Stage
from pipeline.core.errors import StartError
from pipeline.core.mqtt_topics import TopicPattern
from pipeline.core.record import DEVICE, DEVICE_MODEL, Record
from pipeline.devices.registry import CurrentRegistry
from pipeline.devices.silence import SilencePolicy
from pipeline.encode.dead_letter import DeadLetters, RefusalEvents, Refusals
from pipeline.feeds.mqtt.options import MqttOptions
from pipeline.feeds.semtech_udp import UdpOptions
from pipeline.normalise.binding import FromTopic
from pipeline.normalise.normalise import InlineStage, RouteRules, VendorStage
from pipeline.normalise.plan import Plan
from pipeline.normalise.records import CompiledConnector
from pipeline.normalise.route import Route, Router
from pipeline.observe.connector_cpu import MeteredRoute
from pipeline.publish.options import BY_KAFKA, STAMPED, CreateTopics, KafkaOptions, Sasl

Secret = Callable[[], str]
_SHORTEST_TOKEN = 16
_SPARE_REPLICAS = 3
_MAKE = "Make one: `openssl rand -hex 16`."


def kafka_options(config: Config) -> KafkaOptions:
    """Return what the publisher is told."""
    kafka = config.kafka
    return KafkaOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        client_id=kafka.client_id,
        tls=_tls(kafka.tls) if kafka.encrypted else None,
        sasl=None if kafka.sasl is None else _sasl(kafka.sasl),
        compression=kafka.compression,
        linger=kafka.linger,
        chunk_bytes=kafka.chunk_bytes,
        idempotent=kafka.idempotent,
        request_timeout=kafka.request_timeout,
        create_topics=create_topics(config),
    )


def topics(config: Config) -> dict[str, str]:
    """Return the topic of each model that a connector names."""
    return {model: config.topic(model) for model in config.models}


def all_topics(config: Config) -> set[str]:
    """Return every topic that is written to."""
    events = {config.device_events_topic} if config.tells_events else set()
    return {*topics(config).values(), config.dead_letter_topic, *events}


def dead_letters(config: Config) -> DeadLetters:
    """Return the maker of dead letters."""
    return DeadLetters(config.tenant, config.dead_letter_topic, config.dead_letters.payload)


def patience(config: Config) -> SilencePolicy:
    """Return how long devices may be silent."""
    told = config.silent_devices
    return SilencePolicy(told.after, told.interval, told.intervals)


def mqtt_options(name: str, feed: FeedConfig, state: Path | None) -> MqttOptions:
    """Return what one feed is told. state: the folder that outlives the process, or None."""
    broker = feed.broker
    return MqttOptions(
        host=broker.host,
        port=broker.port,
        transport="websockets" if broker.scheme.startswith("ws") else "tcp",
        path=broker.path or "/mqtt",
        client_id=feed.client_id,
        subscriptions=tuple((each, feed.used_qos) for each in feed.subscribe),
        version=feed.version,
        username=feed.username,
        password=_secret(feed.password, feed.password_file),
        tls=_tls(feed.tls) if broker.encrypted else None,
        keepalive=round(feed.keepalive),
        max_in_flight=feed.max_in_flight,
        session_expiry=round(feed.session_expiry),
        max_payload=feed.max_payload,
        max_filters=feed.max_filters_per_subscribe,
        state_file=None if state is None else state / f"{name}.mqtt-session.json",
    )


def udp_options(feed: UdpConfig) -> UdpOptions:
    """Return what one feed of gateways is told."""
    host, port = host_port(feed.listen, lowest=0)
    return UdpOptions(host, port, frozenset(feed.gateways), feed.networks, feed.max_in_flight)


def router(
    config: Config,
    feed_name: str,
    *,
    publisher: Stage[Record],
    letters: DeadLetters,
    events: RefusalEvents,
    shared: WorkerContext | None = None,
) -> Stage[Message]:
    """Return the first stage of a feed, with all behind it up to the publisher.

    shared: with the worker's other feeds; None for a run that shall leave no trace.
    """
    feed = config.feeds[feed_name]
    shared = shared or WorkerContext(CurrentRegistry(config.registered))
    compiler = Compiler(config, feed_name, shared)
    refusals = Refusals(feed_name, letters, publisher, events)
    if feed.dialect is not None:
        return unwrap(config, feed, compiler, refusals, shared)
    return _routes(config, compiler, shared, refusals)


def _routes(config: Config, compiler: Compiler, shared: WorkerContext, refusals: Refusals) -> Router:
    feed = config.feeds[refusals.feed]
    fans: dict[str, CompiledConnector] = {}  # routes that lead to one connector share what is known of its devices
    plans: dict[str, Plan] = {}

    def stage(route: RouteConfig) -> Route:
        pattern = TopicPattern(route.topic)
        if route.connector is None:
            return Route(pattern, None)
        models = frozenset(config.connectors[route.connector].models) - {DEVICE_MODEL}  # whose content is constant
        decoder = decoding(route, route.connector, pattern)
        return Route(pattern, MeteredRoute(route.connector, decoder, shared.costs, shared.slow), models)

    def decoding(route: RouteConfig, connector: str, pattern: TopicPattern) -> Stage[Message]:
        declared = config.connectors[connector]
        if isinstance(declared, UsedConnectorConfig):
            fan = fans.get(connector) or fans.setdefault(connector, compiler.fan(declared))
            return VendorStage(fan, rules(route, fan.plans[0], pattern), refusals)
        plan = plans.get(connector) or plans.setdefault(connector, compiler.plan(connector))
        if route.format not in {None, JSON}:
            fan = format_fan(plan, str(route.format), config.found)
            return VendorStage(fan, rules(route, plan, pattern), refusals)
        return InlineStage(plan, rules(route, plan, pattern), refusals)

    def rules(route: RouteConfig, plan: Plan, pattern: TopicPattern) -> RouteRules:
        return RouteRules(_level(plan, pattern), config.keeps_retained(route), feed.max_payload)

    return Router([stage(route) for route in feed.routes], refusals, shared.rooms.topics)


def _level(plan: Plan, pattern: TopicPattern) -> Callable[[str], str | None]:
    source = plan.binding.device
    name = source.name if isinstance(source, FromTopic) else ""
    return lambda text: pattern.level(name, text)


def state_folder(config: Config, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where state outlives the process: the config's, systemd's, or the user's own."""
    chosen = config.state_dir or environment.get("STATE_DIRECTORY", "").split(":")[0]
    if chosen:
        return Path(chosen)
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "headrace" / config.tenant


def admin_address(config: Config) -> tuple[str, int]:
    """Return host and port of the admin server."""
    return host_port(config.admin.listen, lowest=0)


def admin_token(config: Config) -> Secret | None:
    """Return what reads the token of guarded pages; None where they need none.

    The call raises StartError if the file cannot be read, or its token is easily guessed.
    """
    file = config.admin.token_file
    if file is None:
        return None

    def read() -> str:
        token = read_secret(None, file) or ""
        if len(token) < _SHORTEST_TOKEN:
            said = f"Expected a token of {_SHORTEST_TOKEN} characters or more in {file}, got {len(token)}."
            raise StartError(f"{said} {_MAKE}")
        if not token.isascii() or not token.isprintable() or token != token.strip():
            said = f"Expected a token of ASCII letters, digits and signs in {file}, without space around it"
            raise StartError(f"{said}: a browser cannot send another one. {_MAKE}")
        return token

    return read


def _secret(value: SecretStr | None, file: str | None) -> Secret | None:
    if value is None and file is None:
        return None
    return lambda: read_secret(value, file) or ""


def _tls(tls: TlsConfig | None) -> Tls:
    tls = tls or TlsConfig()
    return Tls(
        ca_file=_path(tls.ca_file),
        cert_file=_path(tls.cert_file),
        key_file=_path(tls.key_file),
        key_password=_secret(tls.key_password, tls.key_password_file),
        check_hostname=tls.check_hostname,
    )


def _sasl(sasl: SaslConfig) -> Sasl:
    username = sasl.username or sasl.client_id
    return Sasl(
        mechanism=sasl.mechanism,
        username=None if username is None else lambda: username,
        password=_secret(sasl.password, sasl.password_file) or _secret(sasl.client_secret, sasl.client_secret_file),
        token_file=_path(sasl.token_file),
        token_url=sasl.token_url,
        token_scope=sasl.scope,
    )


def create_topics(config: Config) -> CreateTopics | None:
    """Return how missing topics are made; None: they are not."""
    create = config.kafka.create_topics
    if create is None:
        return None
    configs: dict[str, dict[str, str]] = {}
    settings = {STAMPED: BY_KAFKA, **_durable(create.replication_factor), **create.configs}
    for model, name in topics(config).items():
        retention = config.stream(model).retention
        kept = {} if retention is None else {"retention.ms": str(round(retention * 1000))}
        whole = {"cleanup.policy": "compact"} if model in {DEVICE, DEVICE_MODEL} else {}  # the latest is kept
        configs[name] = {**settings, **whole, **kept}
    for name in all_topics(config) - configs.keys():
        configs[name] = dict(settings)
    return CreateTopics(create.partitions, create.replication_factor or -1, configs)


def _durable(replicas: int | None) -> dict[str, str]:
    """Return how many replicas must have a record before Kafka confirms it: two, where losing one leaves two.

    With fewer replicas, or an unknown number of them, two would stop the feed when a single broker restarts.
    """
    return {"min.insync.replicas": "2"} if replicas is not None and replicas >= _SPARE_REPLICAS else {}


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)

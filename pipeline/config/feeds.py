"""`feeds:` in the configuration: where messages come from, and which connector takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, model_validator
from pydantic import WithJsonSchema as Schema
from pydantic_core import PydanticKnownError

from pipeline.config.findings import Finding, Place
from pipeline.config.kafka import TlsConfig, at_most_one
from pipeline.config.values import (
    VENDOR_NAME,
    Broker,
    BrokerUrl,
    Duration,
    FileName,
    FilterText,
    Listen,
    PatternText,
    Section,
    Size,
    broker,
    durations,
    sizes,
    spell_seconds,
)
from pipeline.core.addresses import host_port, loopback
from pipeline.core.errors import PayloadError, Refused
from pipeline.core.field_path import told
from pipeline.core.strict_json import parse
from pipeline.devices.registry import Preference
from pipeline.plugins import discovery
from pipeline.plugins.registry import ConnectorCatalogue, OwnFormat
from pipeline.sdk.connector import Example, Fields, Format
from pipeline.sdk.dialect import Dialect
from pipeline.sdk.uplink import eui

JSON = "json"
_LONG_ENOUGH = 86_400.0  # seconds
_NAME = re.compile(VENDOR_NAME)


@cache
def formats() -> Mapping[str, Format]:
    """Return every format by its name; what is not JSON is imported with the first call."""
    return MappingProxyType({each.name: each for each in (Format(JSON, _json), *discovery.formats())})


def _json(payload: bytes, received_at: int) -> Fields:  # noqa: ARG001 - all parsers take it
    return parse(payload)


def find(name: str, registry: ConnectorCatalogue) -> Format:
    """Return the format of that name.

    Args:
        registry: Has those of the operator's own.
    """
    own = registry.formats.get(name)
    return formats()[name] if own is None else own.format


def faults(own: OwnFormat) -> Iterator[str]:
    """Yield what makes a format of the operator's own unusable, a sentence each."""
    declared: Any = own.format  # what a person wrote may be of any type
    name, parse, examples = declared.name, declared.parse, declared.examples
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"`name`: expected lower-case letters, digits and dashes, got {told(name)}."
    elif name in formats():
        yield f"`{name}` is the name of a format that comes with Headrace: give it another."
    if not callable(parse):
        yield "`parse`: expected a function of a payload and its arrival."
    if not isinstance(examples, tuple) or not all(isinstance(each, Example) for each in examples):
        yield "`examples`: expected a tuple of `Example(...)`."


def check_format(value: str, info: ValidationInfo) -> str:
    """Hold a name against the formats; refused as pydantic refuses a word that is not listed."""
    context = info.context if isinstance(info.context, dict) else {}
    registry = context.get("registry")
    known = {*formats(), *(registry.formats if isinstance(registry, ConnectorCatalogue) else ())}
    if value not in known:
        expected = " or ".join(repr(name) for name in sorted(known))
        raise PydanticKnownError("literal_error", {"expected": expected})
    return value


def _formats_listed(schema: dict[str, Any]) -> None:
    schema["examples"] = sorted(formats())


FormatName = Annotated[str, AfterValidator(check_format), Field(json_schema_extra=_formats_listed)]


AUTO = "auto"
"""Each topic's dialect is recognised by the shape of its messages."""


@cache
def dialects() -> Mapping[str, Dialect]:
    """Return every dialect by its name; imported with the first call."""
    return MappingProxyType({each.name: each for each in discovery.dialects() if isinstance(each, Dialect)})


def chosen(name: str) -> list[Dialect]:
    """Return the dialects that a feed may hear; `auto` means all network servers."""
    if name != AUTO:
        return [dialects()[name]]
    return [each for each in dialects().values() if not each.raw]


def check_dialect(value: str) -> str:
    """Hold a name against the dialects; refused as pydantic refuses a word that is not listed."""
    known = [AUTO, *sorted(dialects())]
    if value not in known:
        raise PydanticKnownError("literal_error", {"expected": " or ".join(repr(name) for name in known)})
    return value


def _dialects_listed(schema: dict[str, Any]) -> None:
    schema["enum"] = [AUTO, *sorted(dialects())]


DialectName = Annotated[str, AfterValidator(check_dialect), Field(json_schema_extra=_dialects_listed)]


class DeduplicateConfig(Section):
    """How the copies of one frame, heard by several gateways, become one uplink."""

    window: Annotated[Duration, durations(0.01, 60)] = Field(default=0.2, examples=["500ms"])
    """How long the first copy waits for others: 200 ms where gateways have fibre, seconds where they use LTE."""
    rate: Annotated[float, Field(gt=0, le=1_000_000)] = Field(default=1000, examples=[1000])
    """Copies a second at most, against which `max_in_flight` is checked: those that wait have no fate yet."""


class FramePolicyConfig(Section):
    """What becomes of raw frames that are no uplinks of ours: `filter` counts them, `dead_letter` keeps them, too."""

    unknown: Refused = Field(default="filter", examples=["filter"])
    """No session has that DevAddr: most such frames come from other people's devices, which are not ours to record."""
    wrong_mic: Refused = Field(default="dead_letter", examples=["filter"])
    """The DevAddr is one of ours, but none of its keys fits."""
    crc_error: Refused = Field(default="filter", examples=["dead_letter"])
    """The gateway says that the checksum is wrong: noise, or two frames at once."""
    invalid: Refused = Field(default="dead_letter", examples=["filter"])
    """The bytes are nothing that a LoRaWAN device sends."""
    replay: Refused = Field(default="dead_letter", examples=["filter"])
    """The frame counter went back: a recorded frame was sent again, or the device was reset."""
    reset: Literal["accept", "refuse"] = Field(default="refuse", examples=["accept"])
    """`accept` takes a counter that went back for a device that was reset, and a recorded frame as well; `ce_id` then
    ends in the frame's MIC."""
    joins: Annotated[int, Field(ge=1, le=3600)] = Field(default=20, examples=[20])
    """How many join requests of a device are told in an hour. None can be verified here, so that anybody can forge
    them: those beyond are counted (`join_limited`), and make no record."""
    unkept: Literal["accept", "hold"] = Field(default="accept", examples=["hold"])
    """While `state_dir` cannot be written: `accept` publishes frames, and after a restart recorded ones as well; `hold`
    keeps them waiting, unacknowledged, until it can; a feed of datagrams sheds what comes beyond `max_in_flight`."""


_MQTT_TEXT = 65_535
_LONGEST_EXPIRY = 49_710 * 86_400  # in days; MQTT 5 counts seconds in 32 bits


class RouteConfig(Section):
    """Which connector takes the messages of a topic; the first route that matches counts."""

    topic: PatternText = Field(examples=["city/aq/{device}"])
    """A topic; `{name}` stands for one level and names it, `+` for one level, a last `#` for all that follow."""
    connector: str | None = Field(default=None, examples=["city-aq"])
    """The connector, by its name under `connectors`."""
    format: FormatName | None = Field(default=None, examples=["senml"])
    """How the payload is written: `json` (as when absent), `senml`, `ultralight`, or a format of your own."""
    ignore: bool = Field(default=False, examples=[False])
    """Take these messages and drop them, counted as filtered, instead of `connector`."""
    retained: Literal["keep", "filter"] | None = Field(default=None, examples=["filter"])
    """What to do with a retained message, an old value sent anew; absent, kept if readings carry their own time."""

    @model_validator(mode="after")
    def _one_end(self) -> RouteConfig:
        if self.ignore and self.connector is not None:
            raise ValueError("has both `connector` and `ignore: true`: give one of them")
        if not self.ignore and self.connector is None:
            raise ValueError("leads nowhere: give `connector: <name>`, or `ignore: true` to drop what matches")
        if self.ignore and self.format is not None:
            raise ValueError("has both `format` and `ignore: true`: what is dropped is not decoded")
        return self


def _version(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _available(value: str) -> str:
    if value == "spool":
        raise ValueError("is not available yet: write `ack: kafka`, which acknowledges once Kafka has the records")
    return value


def _text(value: str) -> str:
    if len(value.encode()) > _MQTT_TEXT or not value.isprintable():
        raise ValueError("is too long for MQTT, or holds control characters")
    return value


def _whole_seconds(value: float) -> float:
    if value != int(value):
        raise ValueError("is no whole number of seconds, which is how MQTT counts it")
    return value


_WHOLE = AfterValidator(_whole_seconds)
MqttText = Annotated[str, Field(min_length=1), AfterValidator(_text)]


FEED_SECTIONS: dict[str, type[FeedConfig]] = {}
"""The section of each kind of feed, by its `kind`; a class that is made is in here."""


def check_kind(value: object) -> object:
    """Hold a feed's kind against all there are, whichever it is held against."""
    if not isinstance(value, str) or value not in FEED_SECTIONS:
        raise PydanticKnownError("literal_error", {"expected": " or ".join(map(repr, FEED_SECTIONS))})
    return value


class FeedConfig(Section):
    """What the section of a feed answers, whatever its kind; a key that a kind does not have is a constant of it."""

    kind: str

    if TYPE_CHECKING:  # fields, or constants, of each kind

        @property
        def routes(self) -> tuple[RouteConfig, ...]:
            """Which connector takes which topic."""

        @property
        def dialect(self) -> str | None:
            """The network server or gateways that speak here, instead of routes."""

        @property
        def subscribe(self) -> tuple[str, ...]:
            """Filters of the topics that come."""

        @property
        def max_payload(self) -> int:
            """Bytes of the largest payload that is decoded."""

        @property
        def max_in_flight(self) -> int:
            """How many messages may be under way."""

        @property
        def deduplicate(self) -> DeduplicateConfig | None:
            """How copies of one frame become one uplink."""

        @property
        def frames(self) -> FramePolicyConfig | None:
            """What becomes of frames that are no uplinks of ours."""

        @property
        def prefer(self) -> Preference | None:
            """Which of a server and gateways to publish."""

        @property
        def source(self) -> str:
            """Where its messages come from, for a person."""

    @classmethod
    def kinds(cls) -> tuple[type[Section], ...]:
        """Return the sections of all kinds; of one kind, its own."""
        return tuple(FEED_SECTIONS.values()) if cls is FeedConfig else (cls,)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """Make the kind known.

        Raises:
            TypeError: Another section has this `kind`, which every configuration would then be held against.
        """
        for kind in get_args(cls.model_fields["kind"].annotation):
            if kind in FEED_SECTIONS:
                other = FEED_SECTIONS[kind].__name__
                raise TypeError(f"{cls.__name__} has `kind: {kind}`, as {other} has. Give it its own word.")
            FEED_SECTIONS[kind] = cls

    @property
    def brings_frames(self) -> bool:
        """Whether it brings frames straight from gateways."""
        return self.dialect not in {None, AUTO} and dialects()[str(self.dialect)].raw

    @property
    def listening(self) -> str:
        """Where its messages come from and which, for the report of `check`."""
        return f"{self.source}, {', '.join(self.subscribe)}"

    @property
    def session(self) -> tuple[str, int, str] | None:
        """Host, port and client id of its session, which no other feed may have; None without one."""
        return None

    @property
    def broker_tls(self) -> TlsConfig | None:
        """The certificates that it names."""
        return None

    def errors(self, name: str) -> Iterator[Finding]:  # noqa: ARG002 - of kinds that have none
        """Yield what is wrong with it beside what its keys allow. name: of the feed."""
        yield from ()

    def warnings(self, name: str) -> Iterator[Finding]:  # noqa: ARG002 - as above
        """Yield what works, but most likely not as meant. name: of the feed."""
        yield from ()

    def refusals(self, topic: str) -> Iterator[str]:  # noqa: ARG002 - as above
        """Yield what it holds against the sender of a topic before it reads the message, a sentence each."""
        yield from ()


class PlainFeedConfig(FeedConfig):
    """A feed on which no LoRaWAN network speaks: its messages go by routes."""

    dialect: ClassVar[None] = None
    deduplicate: ClassVar[None] = None
    frames: ClassVar[None] = None
    prefer: ClassVar[None] = None


class MqttFeedConfig(FeedConfig):
    """A persistent MQTT session."""

    kind: Annotated[Literal["mqtt"], BeforeValidator(check_kind)] = Field(examples=["mqtt"])
    """What sort of feed this is."""
    url: BrokerUrl = Field(examples=["mqtts://broker.example:8883"])
    """The broker: mqtt://, mqtts://, ws:// or wss://, host, port and, for a websocket, path; no user in it."""
    version: Annotated[Literal["3.1.1", "5"], BeforeValidator(_version), Schema({"enum": ["3.1.1", "5", 5]})] = Field(
        default="5", examples=["5"]
    )
    """The version of MQTT."""
    client_id: MqttText = Field(examples=["headrace-ghent"])
    """The session's name at the broker, which keeps messages under it while Headrace is away; one feed each."""
    username: MqttText | None = Field(default=None, examples=["headrace"])
    """The user, if the broker asks for one."""
    password: SecretStr | None = Field(default=None, examples=["${MQTT_PASSWORD}"])
    """The password."""
    password_file: FileName | None = Field(default=None, examples=["/run/secrets/mqtt-password"])
    """The file that holds it, instead of `password`."""
    tls: TlsConfig | None = None
    """Certificates, for mqtts:// and wss://."""
    subscribe: tuple[FilterText, ...] = Field(min_length=1, examples=[["city/#"]])
    """Topic filters, with `+` and `#`; `$share/group/filter` shares them among clients and gives up order."""
    qos: int = Field(default=1, ge=0, le=2, examples=[1])
    """1: the broker keeps what is not acknowledged. 0: what is in memory at a crash is lost. 2 is lowered to 1."""
    keepalive: Annotated[Duration, durations(1, 65_535), _WHOLE] = Field(default=30.0, examples=["30s"])
    """How long the connection may be silent before it is tested."""
    max_in_flight: int = Field(default=5000, ge=1, le=65_535, examples=[5000])
    """How many messages may be unacknowledged before reading pauses; also how many a crash can duplicate."""
    max_payload: Annotated[Size, sizes(1, 16 * 1024**2)] = Field(default=256 * 1024, examples=["256KiB"])
    """The largest payload that is decoded; a larger one is a dead letter. MQTT 5 properties do not count."""
    max_filters_per_subscribe: int | None = Field(default=None, ge=1, le=65_535, examples=[8])
    """How many filters one SUBSCRIBE holds; absent, 8 on AWS IoT Core, else all, or fewer if a broker closes on it."""
    session_expiry: Annotated[Duration, durations(1, _LONGEST_EXPIRY), _WHOLE] = Field(
        default=7 * 86_400.0, examples=["7d"]
    )
    """How long the broker keeps the session while Headrace is away (MQTT 5; with 3.1.1 the broker decides)."""
    ack: Annotated[Literal["kafka", "spool"], AfterValidator(_available)] = Field(default="kafka", examples=["kafka"])
    """When a message is acknowledged: once Kafka has confirmed its records. `spool` is not available yet."""
    allow_plaintext: bool = Field(default=False, examples=[False])
    """Allow a password over a connection without TLS to another machine."""
    routes: tuple[RouteConfig, ...] = Field(
        default=(), examples=[[{"topic": "city/aq/{device}", "connector": "city-aq"}]]
    )
    """Which connector takes which topic; the first that matches counts, and what matches none is a dead letter."""
    dialect: DialectName | None = Field(default=None, examples=["auto"])
    """Instead of `routes`: the LoRaWAN network server or gateway bridge whose messages these are; `auto` recognises."""
    deduplicate: DeduplicateConfig | None = Field(default=None, examples=[{"window": "500ms"}])
    """With a dialect of gateways: how the copies of one frame become one uplink."""
    frames: FramePolicyConfig | None = Field(default=None, examples=[{"unknown": "dead_letter"}])
    """With a dialect of gateways: what becomes of frames that are no uplinks of ours."""
    prefer: Preference | None = Field(default=None, examples=["server"])
    """Which copy to publish when an uplink comes through a server and raw; absent, both, under one `ce_id`."""

    @model_validator(mode="after")
    def _consistent(self) -> MqttFeedConfig:
        at_most_one(self, "password", "password_file")
        if self.routes and self.dialect is not None:
            raise ValueError("has both `routes` and `dialect`: give each a feed and a `client_id` of its own")
        if not self.routes and self.dialect is None:
            raise ValueError("leads nowhere: give `routes`, or the `dialect` of the network server that speaks here")
        if self.tls and not self.broker.encrypted:
            raise ValueError(f"has `tls`, which {self.broker.scheme}:// does not use: write {self.broker.scheme}s://")
        if self.version == "3.1.1" and self.has_password and self.username is None:
            raise ValueError("has a password without a `username`, which MQTT 3.1.1 does not allow")
        return self

    @property
    def broker(self) -> Broker:
        """The URL's parts."""
        return broker(self.url)

    @property
    def source(self) -> str:
        """The broker's URL."""
        return str(self.url)

    @property
    def session(self) -> tuple[str, int, str]:
        """Host, port and client id."""
        return self.broker.host.lower(), self.broker.port, self.client_id

    @property
    def broker_tls(self) -> TlsConfig | None:
        """The certificates of `tls`."""
        return self.tls

    def errors(self, name: str) -> Iterator[Finding]:
        """Yield a password that would go to another machine without TLS."""
        broker = self.broker
        if self.has_password and not broker.encrypted and not loopback(broker.host) and not self.allow_plaintext:
            # At `url`, where it is mended; the password's own line may already be named for an unset variable.
            said = f"would carry the password to {broker.host} without TLS."
            fix = f"Write `{broker.scheme}s://`; or `allow_plaintext: true`, if the network may read it."
            yield Finding(("feeds", name, "url"), said, fix)

    def warnings(self, name: str) -> Iterator[Finding]:
        """Yield what its QoS, its session's expiry and shared subscriptions give up."""
        place = ("feeds", name)
        if self.qos == 0:
            said = "0 means that what is in memory at a crash is lost, and what arrives while Headrace is away."
            yield _warning((*place, "qos"), said, "Write `qos: 1`, and let the devices publish with 1 too.")
        if self.qos > 1:
            said = "2 is lowered to 1: after the first answer of QoS 2 the message would be in memory only."
            yield _warning((*place, "qos"), said, "Write `qos: 1`.")
        if self.version == "3.1.1" and "session_expiry" in self.model_fields_set:
            yield _warning((*place, "session_expiry"), "has no effect with MQTT 3.1.1: the broker decides.")
        if self.version == "5" and self.session_expiry < _LONG_ENOUGH:
            kept = spell_seconds(self.session_expiry)
            said = f"{kept}: the broker forgets what waits if Headrace is away for longer."
            fix = "Write `session_expiry: 7d`: long enough for a night, a weekend, a new machine."
            yield _warning((*place, "session_expiry"), said, fix)
        for at, each in enumerate(self.subscribe):
            if each.startswith("$share/"):
                said = f"`{each}` divides each device's messages among the clients of the group: their order is lost."
                fix = "Give each worker filters of its own, without `$share`; or keep it, where order does not matter."
                yield _warning((*place, "subscribe", at), said, fix)

    @property
    def has_password(self) -> bool:
        """Whether a password is sent."""
        return self.password is not None or self.password_file is not None

    @property
    def used_qos(self) -> int:
        """The QoS that is subscribed with: 2 is lowered, since its first answer leaves the message in memory only."""
        return min(self.qos, 1)


def _warning(place: Place, message: str, fix: str = "") -> Finding:
    return Finding(place, message, fix, severity="warning")


def check_eui(text: str) -> str:
    """Read an EUI-64 in either case, with dashes or colons. Raises ValueError with a sentence."""
    try:
        return eui(text)
    except PayloadError:
        raise ValueError("is no EUI-64: write its 16 hex digits in quotes") from None


def check_network(text: str) -> str:
    """Hold a text against an address or a network in CIDR notation. Raises ValueError with a sentence."""
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("is no address or network: write `192.0.2.7` or `192.0.2.0/24`, without host bits") from None
    return text


Eui = Annotated[str, AfterValidator(check_eui)]
Network = Annotated[str, AfterValidator(check_network)]


class SemtechUdpFeedConfig(FeedConfig):
    """LoRaWAN gateways, straight from their packet forwarder (Semtech's UDP protocol)."""

    subscribe: ClassVar[tuple[str, ...]] = ("+/push_data", "+/tx_ack")
    routes: ClassVar[tuple[RouteConfig, ...]] = ()
    max_payload: ClassVar[int] = 65_535
    dialect: ClassVar[str] = "semtech_udp"

    kind: Annotated[Literal["semtech_udp"], BeforeValidator(check_kind)] = Field(examples=["semtech_udp"])
    """What sort of feed this is."""
    listen: Listen = Field(default="127.0.0.1:1700", examples=["127.0.0.1:1700"])
    """UDP address and port; beyond this machine only with `gateways` or `addresses`: the protocol proves no sender."""
    gateways: tuple[Eui, ...] = Field(default=(), examples=[["0102030405060708"]])
    """The EUIs of the accepted gateways; absent, all. Any sender that knows an EUI can use it."""
    addresses: tuple[Network, ...] = Field(default=(), examples=[["192.0.2.0/24"]])
    """The accepted source addresses and networks; absent, all."""
    max_in_flight: int = Field(default=5000, ge=1, le=65_535, examples=[5000])
    """How many datagrams may be under way; more are shed. Also how many a crash can lose: no gateway sends twice."""

    deduplicate: DeduplicateConfig | None = Field(default=None, examples=[{"window": "500ms"}])
    """How the copies of one frame, heard by several gateways, become one uplink."""
    frames: FramePolicyConfig | None = Field(default=None, examples=[{"unknown": "dead_letter"}])
    """With a dialect of gateways: what becomes of frames that are no uplinks of ours."""
    prefer: Preference | None = Field(default=None, examples=["server"])
    """Which copy to publish when an uplink comes through a server and raw; absent, both, under one `ce_id`."""

    @property
    def source(self) -> str:
        """The address that it listens on."""
        return self.listen

    @property
    def listening(self) -> str:
        """The address, and which gateways may send."""
        gateways = f"listed gateways only: {len(self.gateways)}" if self.gateways else "any gateway"
        return f"{self.listen} (UDP), {gateways}"

    @property
    def brings_frames(self) -> bool:
        """It does, always."""
        return True

    def errors(self, name: str) -> Iterator[Finding]:
        """Yield an address that takes frames from any host."""
        host, _ = host_port(self.listen, lowest=0)
        if not loopback(host) and not self.gateways and not self.addresses:
            said = f"`{self.listen}` takes frames from any sender: the protocol proves no identity."
            fix = "Write `addresses: [...]` or `gateways: [...]` with those you know, or listen on 127.0.0.1."
            yield Finding(("feeds", name, "listen"), said, fix)

    def refusals(self, topic: str) -> Iterator[str]:
        """Yield that the gateway is not listed, or that not every address is listened to."""
        gateway = topic.partition("/")[0].lower()
        if self.gateways and gateway not in self.gateways:
            said = f"`gateways` of the feed does not list {gateway}: the worker refuses its datagrams, unread"
            rest = "What stands here is what would become of one if it were listed."
            yield f"{said} and unanswered (`gateway_refused`). {rest}"
        if self.addresses:
            said = f"The feed listens to {', '.join(self.addresses)} only; from elsewhere the datagram is refused"
            yield f"{said} (`address_refused`)."

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """What `addresses` allows."""
        return tuple(ip_network(each) for each in self.addresses)

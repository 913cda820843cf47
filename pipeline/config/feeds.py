"""`feeds:` in the configuration: where messages come from, and which connector takes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic import WithJsonSchema as Schema
from pydantic_core import PydanticKnownError

from pipeline.config.dialects import Deduplicate, DialectName, FramePolicy, Preference
from pipeline.config.formats import FormatName
from pipeline.config.secrets import Tls, at_most_one
from pipeline.config.values import (
    Broker,
    BrokerUrl,
    Duration,
    FileName,
    Section,
    Size,
    TopicFilter,
    TopicPattern,
    broker,
    durations,
    sizes,
)

_MQTT_TEXT = 65_535
_LONGEST_EXPIRY = 49_710 * 86_400  # in days; MQTT 5 counts seconds in 32 bits


class Route(Section):
    """Which connector takes the messages of a topic; the first route that matches counts."""

    topic: TopicPattern = Field(examples=["city/aq/{device}"])
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
    def _one_end(self) -> Route:
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


FEED_KINDS = ("mqtt", "semtech_udp")


def check_kind(value: object) -> object:
    """Hold a feed's kind against all there are, whichever it is held against."""
    if value not in FEED_KINDS:
        raise PydanticKnownError("literal_error", {"expected": " or ".join(map(repr, FEED_KINDS))})
    return value


class MqttFeed(Section):
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
    tls: Tls | None = None
    """Certificates, for mqtts:// and wss://."""
    subscribe: tuple[TopicFilter, ...] = Field(min_length=1, examples=[["city/#"]])
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
    routes: tuple[Route, ...] = Field(default=(), examples=[[{"topic": "city/aq/{device}", "connector": "city-aq"}]])
    """Which connector takes which topic; the first that matches counts, and what matches none is a dead letter."""
    dialect: DialectName | None = Field(default=None, examples=["auto"])
    """Instead of `routes`: the LoRaWAN network server or gateway bridge whose messages these are; `auto` recognises."""
    deduplicate: Deduplicate | None = Field(default=None, examples=[{"window": "500ms"}])
    """With a dialect of gateways: how the copies of one frame become one uplink."""
    frames: FramePolicy | None = Field(default=None, examples=[{"unknown": "dead_letter"}])
    """With a dialect of gateways: what becomes of frames that are no uplinks of ours."""
    prefer: Preference | None = Field(default=None, examples=["server"])
    """Whom to publish when a device is heard through a server and raw; absent, both, under one `ce_id`."""

    @model_validator(mode="after")
    def _consistent(self) -> MqttFeed:
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
    def has_password(self) -> bool:
        """Whether a password is sent."""
        return self.password is not None or self.password_file is not None

    @property
    def used_qos(self) -> int:
        """The QoS that is subscribed with: 2 is lowered, since its first answer leaves the message in memory only."""
        return min(self.qos, 1)

"""`kafka:` in the configuration: where records go, and how."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic import WithJsonSchema as Schema

from pipeline.config.values import Address, Duration, FileName, Section, Size, TokenUrl, durations, sizes
from pipeline.core.addresses import host_port, loopback
from pipeline.core.errors import StartError
from pipeline.core.files import content

_LARGEST = 65_536


class TlsConfig(Section):
    """Certificates, as PEM files. Without a section an encrypted connection trusts the system's authorities."""

    ca_file: FileName | None = Field(default=None, examples=["/etc/headrace/ca.pem"])
    """The authorities that are trusted instead of the system's."""
    cert_file: FileName | None = Field(default=None, examples=["/etc/headrace/client.pem"])
    """The client's certificate, with its chain."""
    key_file: FileName | None = Field(default=None, examples=["/etc/headrace/client.key"])
    """The client certificate's private key, if it is not in `cert_file`."""
    key_password: SecretStr | None = Field(default=None, examples=["${KEY_PASSWORD}"])
    """What the private key is encrypted with."""
    key_password_file: FileName | None = Field(default=None, examples=["/run/secrets/key-password"])
    """The file that holds it, instead of `key_password`."""
    check_hostname: bool = Field(default=True, examples=[True])
    """Whether the server's certificate must be for the host that the config names."""

    @model_validator(mode="after")
    def _complete(self) -> TlsConfig:
        at_most_one(self, "key_password", "key_password_file")
        if self.cert_file is None and (self.key_file or self.key_password or self.key_password_file):
            raise ValueError("has a private key but no `cert_file`: a client shows its certificate with the key")
        return self


def at_most_one(section: Section, *names: str) -> None:
    """Raise ValueError if more than one of the keys is given."""
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) > 1:
        raise ValueError(f"has both `{given[0]}` and `{given[1]}`: give one of them")


def read_secret(value: SecretStr | None, file: str | None) -> str | None:
    """Return a secret, from its file if it has one (without the line's end); None if there is none.

    Raises StartError if the file cannot be read or is empty; the text names the file, never its content.
    """
    if file is None:
        return None if value is None else value.get_secret_value()
    try:
        text = content(file, _LARGEST).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise StartError(f"The secret in {file} cannot be read: {why}.") from None
    if not text:
        raise StartError(f"The secret in {file} is empty.")
    return text


_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST_NAME = 249
# What an editor may accept: more than the types say, since `_separated` and `_texts` read it first.
_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_SETTINGS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}


def check_topic(text: str) -> str:
    """Hold a name against Kafka's grammar of topics.

    Raises ValueError with a sentence.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", text) or len(text) > _LONGEST_NAME or text in {".", ".."}:
        raise ValueError("is no name of a Kafka topic: 1 to 249 of the characters a-z A-Z 0-9 . _ -")
    return text


def _template(*known: str) -> AfterValidator:
    def check(text: str) -> str:
        for name in _PLACEHOLDER.findall(text):
            if name not in known:
                allowed = " and ".join(f"{{{each}}}" for each in known)
                raise ValueError(f"has an unknown placeholder {{{name}}}: {allowed} can be used")
        check_topic(_PLACEHOLDER.sub("x", text))
        return text

    check.__doc__ = "with " + " and ".join(f"`{{{each}}}`" for each in known)
    return AfterValidator(check)


def _separated(value: object) -> object:
    """Take `a:9092,b:9092` as two, since one environment variable often holds them all."""
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """Take numbers and booleans of a topic's settings as Kafka spells them."""
    if not isinstance(value, dict):
        return value
    spelt = {True: "true", False: "false"}
    return {key: spelt[each] if isinstance(each, bool) else _text(each) for key, each in value.items()}


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


class SaslConfig(Section):
    """How the client authenticates."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(examples=["SCRAM-SHA-512"])
    """The SASL mechanism."""
    username: str | None = Field(default=None, min_length=1, examples=["headrace"])
    """For PLAIN and SCRAM."""
    password: SecretStr | None = Field(default=None, examples=["${KAFKA_PASSWORD}"])
    """For PLAIN and SCRAM."""
    password_file: FileName | None = Field(default=None, examples=["/run/secrets/kafka-password"])
    """The file that holds it, instead of `password`."""
    token_file: FileName | None = Field(default=None, examples=["/run/secrets/kafka-token"])
    """For OAUTHBEARER: a file with the token, kept fresh by another program; read at each connection."""
    token_url: TokenUrl | None = Field(default=None, examples=["https://login.example/token"])
    """For OAUTHBEARER: where tokens are fetched (OAuth 2.0 client credentials)."""
    client_id: str | None = Field(default=None, min_length=1, examples=["headrace"])
    """For `token_url`: the client's name."""
    client_secret: SecretStr | None = Field(default=None, examples=["${KAFKA_CLIENT_SECRET}"])
    """For `token_url`: the client's secret."""
    client_secret_file: FileName | None = Field(default=None, examples=["/run/secrets/kafka-client-secret"])
    """The file that holds it, instead of `client_secret`."""
    scope: str | None = Field(default=None, examples=["kafka"])
    """For `token_url`: the scope that is asked for."""

    @model_validator(mode="after")
    def _complete(self) -> SaslConfig:
        at_most_one(self, "password", "password_file")
        at_most_one(self, "client_secret", "client_secret_file")
        at_most_one(self, "token_file", "token_url")
        if self.mechanism == "OAUTHBEARER":
            self._needs_token()
        elif not self.username or not (self.password or self.password_file):
            raise ValueError(f"needs `username` and `password` or `password_file` for {self.mechanism}")
        return self

    def _needs_token(self) -> None:
        secret = self.client_secret or self.client_secret_file
        if not self.token_file and not (self.token_url and self.client_id and secret):
            raise ValueError(
                "needs `token_file`, or `token_url` with `client_id` and `client_secret_file`, for OAUTHBEARER"
            )


class CreateTopicsConfig(Section):
    """Create the topics that are missing; without this section a missing topic refuses the start."""

    partitions: int = Field(ge=1, le=10_000, examples=[6])
    """How many partitions; more later would move devices to other partitions, and break their order once."""
    replication_factor: int | None = Field(default=None, ge=1, le=100, examples=[3])
    """How many brokers keep a copy; absent, the broker's own default."""
    configs: Annotated[dict[str, str], BeforeValidator(_texts), Schema(_SETTINGS)] = Field(
        default={}, examples=[{"retention.ms": "604800000"}]
    )
    """Kafka's settings of the topics, by Kafka's names. `message.timestamp.type` is `LogAppendTime` unless said."""


class TopicsConfig(Section):
    """How topics are named. A payload never has a say in it."""

    model: Annotated[str, _template("tenant", "model")] = Field(
        default="{tenant}.{model}.v1", examples=["{tenant}.{model}.v1"]
    )
    """The topic of a model's entities."""
    dead_letter: Annotated[str, _template("tenant")] = Field(
        default="{tenant}.dead-letter.v1", examples=["{tenant}.dead-letter.v1"]
    )
    """The topic of what could not be used."""
    device_events: Annotated[str, _template("tenant")] = Field(
        default="{tenant}.device-events.v1", examples=["{tenant}.device-events.v1"]
    )
    """The topic of what happens to LoRaWAN devices and gateways beside uplinks: joins, status, logs."""


class KafkaConfig(Section):
    """The Kafka cluster that records go to."""

    bootstrap_servers: Annotated[tuple[Address, ...], BeforeValidator(_separated), Schema(_LIST)] = Field(
        min_length=1, examples=[["kafka-1:9092", "kafka-2:9092"]]
    )
    """Brokers to begin with, `host:port`: a list, or one text with commas."""
    client_id: str = Field(default="headrace", min_length=1, max_length=249, examples=["headrace-ghent"])
    """The name in Kafka's logs and quotas; absent, `headrace-<tenant>`."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", examples=["SASL_SSL"]
    )
    """Kafka's name for how the connection is protected."""
    tls: TlsConfig | None = None
    """Certificates, for SSL and SASL_SSL."""
    sasl: SaslConfig | None = None
    """Credentials, for SASL_PLAINTEXT and SASL_SSL."""
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(default="none", examples=["zstd"])
    """How chunks are compressed."""
    linger: Annotated[Duration, durations(0, 10)] = Field(default=0.010, examples=["10ms"])
    """How long a chunk waits for more records before it is sent."""
    chunk_bytes: Annotated[Size, sizes(1024, 64 * 1024**2)] = Field(default=256 * 1024, examples=["256KiB"])
    """How large a chunk becomes before it is sent at once; at most the topic's max.message.bytes."""
    idempotent: bool = Field(default=True, examples=[True])
    """Whether Kafka removes what a retry would write twice. Without it, a broken connection can lose order."""
    request_timeout: Annotated[Duration, durations(1, 600)] = Field(default=30.0, examples=["30s"])
    """How long a request may take before it is tried again."""
    create_topics: CreateTopicsConfig | None = Field(default=None, examples=[{"partitions": 6}])
    """Create the topics that are missing; absent, a missing topic refuses the start."""
    topics: TopicsConfig = TopicsConfig()
    """How topics are named."""
    allow_plaintext: bool = Field(default=False, examples=[False])
    """Allow credentials over a connection without TLS to another machine."""

    @model_validator(mode="after")
    def _consistent(self) -> KafkaConfig:
        sasl = self.security_protocol.startswith("SASL")
        if self.sasl and not sasl:
            raise ValueError("has `sasl`, which needs `security_protocol: SASL_SSL`")
        if sasl and not self.sasl:
            raise ValueError(f"has no `sasl`, which `security_protocol: {self.security_protocol}` needs")
        if self.tls and not self.encrypted:
            wanted = "SASL_SSL" if sasl else "SSL"
            raise ValueError(f"has `tls`, which needs `security_protocol: {wanted}`")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self.security_protocol.endswith("SSL")

    @property
    def local(self) -> bool:
        """Whether every broker is on this machine."""
        return all(loopback(host_port(server)[0]) for server in self.bootstrap_servers)


def topic(template: str, **values: Any) -> str:  # noqa: ANN401 - names, by placeholder
    """Fill a template in."""
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), template)

"""How to reach Kafka and what to ask of it: plain values, checked by the configuration before they come here."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import Final, Literal
from urllib.error import URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from pipeline.core.addresses import Tls
from pipeline.core.files import HANDMADE, content
from pipeline.core.threads import run_detached
from pipeline.publish.batch import Compression

_TIMEOUT = 10.0
_MARGIN = 30.0
_SCHEMES = ("https", "http")


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Reads the token file anew each time, or asks the endpoint when the last answer is about to expire."""

    def __init__(self, sasl: Sasl) -> None:
        self._sasl = sasl
        self._kept = ""
        self._until = 0.0

    async def token(self) -> str:
        """Give a token that is valid now.

        Raises:
            OSError: the file cannot be read.
            KafkaConnectionError: the endpoint did not give a token.
        """
        if self._sasl.token_file is not None:
            return await run_detached(self._from_file)
        if monotonic() > self._until:
            self._kept, seconds = await run_detached(self._from_endpoint)
            self._until = monotonic() + max(0.0, seconds - _MARGIN)
        return self._kept

    def _from_file(self) -> str:
        if self._sasl.token_file is None:
            raise KafkaConnectionError("OAUTHBEARER has neither a token file nor a token URL.")
        return content(self._sasl.token_file, HANDMADE).decode("ascii").strip()

    def _from_endpoint(self) -> tuple[str, float]:
        url = self._sasl.token_url or ""
        if urlsplit(url).scheme not in _SCHEMES:
            raise KafkaConnectionError(f"The OAuth token URL {url!r} is neither https nor http.")
        try:
            with urlopen(_client_credentials(self._sasl, url), timeout=_TIMEOUT) as response:  # noqa: S310
                answer = json.load(response)
            return str(answer["access_token"]), float(answer.get("expires_in", 0))
        except (URLError, OSError, HTTPException, ValueError, KeyError, TypeError) as problem:
            # Only the error's kind: its text may hold what the endpoint was sent.
            raise KafkaConnectionError(
                f"The OAuth token endpoint {url} gave no token ({type(problem).__name__}). Check the URL, the client's "
                "id and its secret."
            ) from None


def _client_credentials(sasl: Sasl, url: str) -> Request:
    """Build the request of RFC 6749 section 4.4.2; the client's id and secret travel as section 2.3.1 says."""
    form = {"grant_type": "client_credentials"}
    if sasl.token_scope:
        form["scope"] = sasl.token_scope
    name = quote(sasl.username() if sasl.username else "", safe="")
    secret = quote(sasl.password() if sasl.password else "", safe="")
    headers = {
        "Authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode("ascii"),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    return Request(url, urlencode(form).encode("ascii"), headers)  # noqa: S310


STAMPED: Final = "message.timestamp.type"
"""Kafka's setting of a topic: whether the producer or the broker stamps its records."""

BY_KAFKA: Final = "LogAppendTime"
"""Kafka does, by its own clock: a worker's may be wrong, and Kafka refuses and deletes records by their stamps."""

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


@dataclass(frozen=True, slots=True)
class Sasl:
    """The client's identity. The callables are called at each connection, so that a rotated secret needs no restart.

    OAUTHBEARER takes its token from `token_file`, or from `token_url` (client credentials, RFC 6749 section 4.4) with
    `username` and `password` as the client's id and secret.
    """

    mechanism: Mechanism
    username: Callable[[], str] | None = None
    password: Callable[[], str] | None = None
    token_file: Path | None = None
    token_url: str | None = None
    token_scope: str | None = None


@dataclass(frozen=True, slots=True)
class CreateTopics:
    """Make topics that are not there. replication_factor -1: the broker's default.

    Attributes:
        configs: Topic -> name -> value.
    """

    partitions: int
    replication_factor: int = -1
    configs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """All that the publisher is told. Times are seconds, sizes bytes.

    Attributes:
        linger: How long an open chunk waits for company.
        chunk_bytes: The most of one batch, before compression.
        idempotent: False only for brokers without it; a lost answer may then store a batch twice.
    """

    bootstrap_servers: Sequence[str]
    client_id: str = "headrace"
    tls: Tls | None = None
    sasl: Sasl | None = None
    compression: Compression = "none"
    linger: float = 0.01
    chunk_bytes: int = 256 * 1024
    idempotent: bool = True
    request_timeout: float = 30.0
    metadata_max_age: float = 300.0
    create_topics: CreateTopics | None = None

    @property
    def security(self) -> str:
        """Kafka's name of the listener's kind: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        if self.sasl is None:
            return "PLAINTEXT" if self.tls is None else "SSL"
        return "SASL_PLAINTEXT" if self.tls is None else "SASL_SSL"

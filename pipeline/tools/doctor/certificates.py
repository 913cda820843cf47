"""Until when certificates are valid: those of brokers, by a handshake, and ours, in their files."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography import x509

from pipeline.build import options as wiring
from pipeline.build.feed_kinds import kind_of
from pipeline.config.findings import Place
from pipeline.config.root import Config
from pipeline.core.addresses import host_port
from pipeline.core.files import HANDMADE, content
from pipeline.core.threads import run_detached
from pipeline.tools.doctor.finding import Judgement

_TIMEOUT = 5.0
_SOON = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate.

    Attributes:
        owner: The server or file that the certificate belongs to, for a person.
        until: The end of its validity; None where `problem` says why it is unknown.
    """

    owner: str
    place: Place
    until: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Peer:
    """One server under TLS."""

    owner: str
    place: Place
    host: str
    port: int
    context: Callable[[], ssl.SSLContext]


async def certificates(config: Config) -> list[Certificate]:
    """Return every certificate that the configuration leads to; of a server that is away the trial has told."""
    shown = await asyncio.gather(*(run_detached(partial(_shown, peer)) for peer in _peers(config)))
    return [*filter(None, shown), *(found for place, path in _files(config) for found in _in_file(place, path))]


def judge(found: Certificate, now: datetime) -> Judgement:
    """Judge one certificate."""
    if found.until is None:
        return Judgement("tls", "critical", f"{found.owner}: {found.problem}", found.place, "Renew it, or mend `tls`.")
    left = found.until - now
    said = f"{found.owner}: the certificate is valid until {found.until:%Y-%m-%d %H:%MZ}"
    if left <= timedelta():
        return Judgement("tls.expiry", "critical", f"{said}, which is over.", found.place, "Renew it.")
    if left < _SOON:
        return Judgement("tls.expiry", "warning", f"{said}, in {left.days} days.", found.place, "Renew it.")
    return Judgement("tls.expiry", "ok", f"{said}, in {left.days} days.", found.place)


def _peers(config: Config) -> Iterator[_Peer]:
    for name, feed in config.feeds.items():
        peer = kind_of(feed).peer(name, feed)
        if peer is not None:
            owner = f"broker of feed {name} at {peer.host}:{peer.port}"
            yield _Peer(owner, ("feeds", name, "url"), peer.host, peer.port, peer.tls.context)
    kafka = wiring.kafka_options(config)
    for at, server in enumerate(kafka.bootstrap_servers if kafka.tls else ()):
        host, port = host_port(server)
        yield _Peer(f"Kafka at {server}", ("kafka", "bootstrap_servers", at), host, port, kafka.tls.context)  # type: ignore[union-attr]


def _shown(peer: _Peer) -> Certificate | None:
    """Shake hands and leave; None if no server answers."""
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout=_TIMEOUT)
    except OSError:
        return None
    try:
        with plain, peer.context().wrap_socket(plain, server_hostname=peer.host) as secured:
            der = secured.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        return Certificate(peer.owner, peer.place, None, f"its certificate is not trusted: {error.verify_message}.")
    except (OSError, ValueError) as error:
        return Certificate(peer.owner, peer.place, None, f"no TLS session came about: {error}.")
    until = None if der is None else x509.load_der_x509_certificate(der).not_valid_after_utc
    return Certificate(peer.owner, peer.place, until, "it shows no certificate.")


def _files(config: Config) -> Iterator[tuple[Place, str]]:
    sections = [(("kafka", "tls"), config.kafka.tls)]
    sections += [(("feeds", name, "tls"), feed.broker_tls) for name, feed in config.feeds.items()]  # type: ignore[misc]
    for place, tls in sections:
        for key in ("cert_file", "ca_file"):
            path = None if tls is None else getattr(tls, key)
            if path is not None:
                yield (*place, key), path


def _in_file(place: Place, path: str) -> Iterator[Certificate]:
    """Yield what ends first in a file; one that cannot be read is said by `check`."""
    try:
        chain = x509.load_pem_x509_certificates(content(path, HANDMADE))
    except (OSError, ValueError):
        return
    yield Certificate(path, place, min(each.not_valid_after_utc for each in chain).astimezone(UTC))

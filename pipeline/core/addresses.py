"""How another machine is reached: its address, as a configuration writes it, and the TLS of a connection to it."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files import regular

_PORTS = 65_535


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS 1.2 or later, of a client. Files are PEM and are read at each connection: a rotation needs no restart.

    Attributes:
        ca_file: The authorities that are trusted; None: the system's.
        cert_file: The client's certificate, if the server wants one.
        key_file: Its private key, where `cert_file` does not hold it.
        key_password: Returns what the private key is encrypted with.
        check_hostname: Whether the server's certificate must be for the host that was asked for.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: Callable[[], str] | None = None
    check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Read the files.

        Raises:
            OSError: a file cannot be read or is no PEM of the expected kind, or key and certificate do not belong
                together (ssl.SSLError).
        """
        for file in (self.ca_file, self.cert_file, self.key_file):
            if file is not None:
                regular(file)
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.check_hostname
        if self.cert_file is not None:
            # Without a callable OpenSSL would ask for an encrypted key's password on the terminal, and wait.
            context.load_cert_chain(self.cert_file, self.key_file, self.key_password or str)
        return context


def host_port(text: str, lowest: int = 1) -> tuple[str, int]:
    """Split `host:port`; an IPv6 host stands in brackets.

    Raises ValueError with a sentence.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed) or re.search(r"[\s/@]", text):
        raise ValueError("is no address: write `host:port`, and an IPv6 host in brackets, such as `[::1]:9092`")
    if not port.isascii() or not port.isdigit() or not lowest <= int(port[:6]) <= _PORTS:
        raise ValueError(f"has no usable port: write a number from {lowest} to {_PORTS} behind the colon")
    return host.strip("[]"), int(port)


def loopback(host: str) -> bool:
    """Say whether what is sent to `host` stays in this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"

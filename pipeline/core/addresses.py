"""Addresses as a configuration writes them."""

from __future__ import annotations

import ipaddress
import re

_PORTS = 65_535


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

"""One datagram of Semtech's gateway protocol (Lora-net/packet_forwarder, PROTOCOL.TXT, sections 3 and 5).

A gateway sends the version (1 or 2), a random token of two bytes, an identifier, its EUI-64, and JSON; the answer is
version, token and another identifier.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

_VERSIONS = (1, 2)
_HEADER = 12  # bytes: version, token (2), identifier, EUI (8)


class Identifier(IntEnum):
    """What a gateway may send. PULL_RESP (3), a downlink, and the acknowledgements (1, 4) are a server's."""

    PUSH_DATA = 0
    PULL_DATA = 2
    TX_ACK = 5


_ANSWERS = {Identifier.PUSH_DATA: 1, Identifier.PULL_DATA: 4}
_KNOWN = {each.value: each for each in Identifier}


class Datagram(NamedTuple):
    """What a gateway sent.

    gateway: its EUI in 16 lower-case hex digits. answer: the bytes that acknowledge it; empty where none are due. body:
    JSON, or nothing; not looked at.
    """

    identifier: Identifier
    gateway: str
    answer: bytes
    body: bytes


def parse(data: bytes) -> Datagram | None:
    """Return what a gateway sent, or None if it is nothing that a gateway sends."""
    if len(data) < _HEADER or data[0] not in _VERSIONS:
        return None
    identifier = _KNOWN.get(data[3])
    if identifier is None:
        return None
    code = _ANSWERS.get(identifier)
    answer = b"" if code is None else data[:3] + bytes((code,))
    return Datagram(identifier, data[4:_HEADER].hex(), answer, data[_HEADER:])

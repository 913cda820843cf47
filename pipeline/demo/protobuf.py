"""Protobuf's wire format, as much of it as the demo's servers and gateways write (protobuf.dev, "Encoding").

Written by hand: the demo has no part in the code that reads it. What is 0 or empty is left out, as proto3 has it.
"""

from __future__ import annotations

import struct

_VARINT, _I64, _LENGTH, _I32 = 0, 1, 2, 5
_NEGATIVE = 1 << 64


def integer(field: int, value: int) -> bytes:
    """Write an integer, a bool or an enum."""
    return _tag(field, _VARINT) + _varint(value % _NEGATIVE) if value else b""


def text(field: int, value: str) -> bytes:
    """Write a string."""
    return octets(field, value.encode())


def octets(field: int, value: bytes) -> bytes:
    """Write bytes, or a message within a message."""
    return _tag(field, _LENGTH) + _varint(len(value)) + value if value else b""


def double(field: int, value: float) -> bytes:
    """Write a number of 64 bits."""
    return _tag(field, _I64) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """Write a number of 32 bits."""
    return _tag(field, _I32) + struct.pack("<f", value)


def moment(field: int, milliseconds: int) -> bytes:
    """Write a Timestamp or a Duration."""
    seconds, rest = divmod(milliseconds, 1000)
    return octets(field, integer(1, seconds) + integer(2, rest * 1_000_000))


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:  # noqa: PLR2004 - seven bits a byte
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)

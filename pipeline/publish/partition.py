"""Which partition a key belongs to: as Kafka's own producers decide it, so that all of them agree.

`BuiltInPartitioner.partitionForKey` of Kafka's Java client: `toPositive(murmur2(key)) % partitions`, where `murmur2` is
the 32-bit MurmurHash2 with a fixed seed and `toPositive` clears the sign bit.
"""

from __future__ import annotations

from struct import iter_unpack
from typing import Final

_SEED: Final = 0x9747B28C
_MIX: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


def murmur2(data: bytes) -> int:
    """Hash `data` as `org.apache.kafka.common.utils.Utils.murmur2` does; unsigned, 32 bits."""
    size = len(data)
    whole = size & ~3
    mixed = _SEED ^ size
    for (word,) in iter_unpack("<I", data[:whole]):
        part = word * _MIX & _WORD
        part = (part ^ part >> 24) * _MIX & _WORD
        mixed = mixed * _MIX & _WORD ^ part
    if size > whole:
        mixed = (mixed ^ int.from_bytes(data[whole:], "little")) * _MIX & _WORD
    mixed = (mixed ^ mixed >> 13) * _MIX & _WORD
    return mixed ^ mixed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Say which of `partitions` (at least 1) holds `key`."""
    return (murmur2(key) & _POSITIVE) % partitions

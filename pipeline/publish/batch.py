"""Records to the bytes that Kafka stores: a record batch, magic 2.

Layout (Kafka protocol guide, "Record Batch"; org.apache.kafka.common.record.DefaultRecordBatch), big-endian:

    base offset i64 | length i32 | leader epoch i32 | magic i8 | CRC-32C u32      <- the head, 21 bytes
    attributes i16 | last offset i32 | first and latest timestamp i64 | producer id i64, epoch i16 | first sequence i32
    | number of records i32 | the records, compressed together                    <- the body, which the CRC covers

The hot loop joins pieces that are ready (`Destination.key`, `Record.body`, `VARINTS`) and only adds up
their lengths; nothing of a record is copied before the one join.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from struct import Struct, iter_unpack
from typing import Final, Literal

import google_crc32c
from aiokafka import codec
from aiokafka.record.util import calc_crc32c

from pipeline.core.record import VARINTS, Record, varint

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


Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]

NO_PRODUCER: Final = (-1, -1)
"""Producer id and epoch of a batch without idempotence; its sequence is -1."""

HEAD: Final = Struct(">qiibI")
FIELDS: Final = Struct(">hiqqqhii")
OVERHEAD: Final = HEAD.size + FIELDS.size
"""Bytes of a batch beside its records."""

RECORD_OVERHEAD: Final = 5 + 1 + 10 + 5 + 5
"""So many bytes of a record at most are no key, value or header: length, attributes, time, offset, value size."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_LEVEL: Final = 6
_LZ4_LEVEL: Final = 1  # level 9, aiokafka's default, takes ten times as long for a few per cent less
_AFTER_LENGTH: Final = 12
_MAGIC: Final = 2


# google-crc32c uses the processor's instruction where it is built in C; its Python fallback is slower than aiokafka's.
crc32c: Final[Callable[[bytes], int]] = google_crc32c.value if google_crc32c.implementation == "c" else calc_crc32c


def _gzip(records: bytes) -> bytes:
    squeezing = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return squeezing.compress(records) + squeezing.flush()


def _lz4(records: bytes) -> bytes:
    return codec.lz4_encode(records, _LZ4_LEVEL)  # type: ignore[no-any-return]


# The number is the codec's place in the batch's attributes.
_CODECS: Final[dict[str, tuple[int, Callable[[bytes], bytes]]]] = {
    "gzip": (1, _gzip),
    "snappy": (2, codec.snappy_encode),
    "lz4": (3, _lz4),
    "zstd": (4, codec.zstd_encode),
}


def encode_records(records: Sequence[Record]) -> tuple[list[bytes], int]:
    """Encode records as pieces to join, and tell their latest timestamp; offsets and times count from the first's."""
    parts: list[bytes] = []
    table = VARINTS
    base = last = latest = records[0][3]
    stamp = b"\0\0"  # attributes (always 0), then the distance in time: the same for all messages of one read
    fixed = 2
    for index, (destination, body, size, timestamp, _) in enumerate(records):
        if timestamp != last:
            last = timestamp
            latest = max(latest, last)
            stamp = b"\0" + varint(last - base)
            fixed = len(stamp)
        key = destination.key
        length = len(key)
        try:
            named = table[length]
            lead = table[size]
            offset = table[index]
            start = table[fixed + len(offset) + len(named) + length + len(lead) + len(body)]
        except IndexError:
            named = varint(length)
            lead = varint(size)
            offset = varint(index)
            start = varint(fixed + len(offset) + len(named) + length + len(lead) + len(body))
        parts += (start, stamp, offset, named, key, lead, body)
    return parts, latest


def encode_batch(
    records: Sequence[Record],
    *,
    compression: Compression = "none",
    producer: tuple[int, int] = NO_PRODUCER,
    sequence: int = -1,
) -> tuple[bytes, bytes]:
    """Encode at least one record as one batch: its head and its body, apart to spare a copy.

    Args:
        producer: Id and epoch that Kafka gave.
        sequence: The number of the first record in its partition, 0 to 2^31 - 1. What compression does not make smaller
            is sent as it is.
    """
    parts, latest = encode_records(records)
    attributes = 0
    if compression != "none":
        number, squeeze = _CODECS[compression]
        plain = b"".join(parts)
        squeezed = squeeze(plain)
        attributes = number if len(squeezed) < len(plain) else 0
        parts = [squeezed if attributes else plain]
    count = len(records)
    fields = FIELDS.pack(attributes, count - 1, records[0][3], latest, *producer, sequence, count)
    body = b"".join((fields, *parts))
    length = HEAD.size - _AFTER_LENGTH + len(body)
    return HEAD.pack(0, length, -1, _MAGIC, crc32c(body)), body

"""What we encode, aiokafka's own reader reads back equal."""

from typing import get_args

import pytest
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.delivery import Message
from pipeline.core.record import Destination, Record, decode_headers, encode_headers
from pipeline.publish.batch import OVERHEAD, RECORD_OVERHEAD, Compression, crc32c, encode_batch
from tests.pipeline.publish.model import read_batch

CODECS = get_args(Compression)
NUMBERS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
# A varint grows at 64, 8,192 and 1,048,576; the table of ready varints ends at 16,384.
EDGES = [0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 8193, 16_382, 16_383, 16_384, 16_385]

headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=70)), max_size=5)
records = st.builds(
    lambda key, size, pairs, timestamp: Record.make(
        Destination("t", key), b"v" * size, encode_headers(pairs), timestamp, Message("t", b"", 0)
    ),
    st.binary(min_size=1, max_size=80),
    st.sampled_from(EDGES) | st.integers(0, 200),
    headers,
    st.integers(0, 1 << 42) | st.integers(-1, 70) | st.just(1_769_000_000_000),
)


def check(batch: list[Record], compression: Compression) -> None:
    head, body = encode_batch(batch, compression=compression, producer=(7, 3), sequence=11)
    read, found = read_batch(head + body)
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (7, 3, 11)
    assert read.next_offset == len(batch)
    assert read.max_timestamp == max(record.timestamp for record in batch)
    assert [(each.key, each.value, list(each.headers), each.timestamp) for each in found] == [
        (record.destination.key, record.value, decode_headers(record.headers), record.timestamp) for record in batch
    ]
    if compression == "none":
        most = sum(len(each.value) + len(each.headers) + each.destination.size for each in batch)
        assert len(head) + len(body) <= most + OVERHEAD + RECORD_OVERHEAD * len(batch)


@given(st.lists(records, min_size=1, max_size=20), st.sampled_from(CODECS))
def test_reads_back_equal(batch: list[Record], compression: Compression) -> None:
    check(batch, compression)


@pytest.mark.parametrize("size", EDGES)
def test_sizes_around_a_varint(size: int) -> None:
    where = Destination("t", b"k" * max(1, size))
    for value, headers in ((b"v" * size, []), (b"", [("h" * size, b"")]), (b"", [("h", b"x" * size)])):
        check([Record.make(where, value, encode_headers(headers), 5, None)], "none")


@pytest.mark.parametrize("compression", CODECS)
def test_compresses_what_can_be(compression: Compression) -> None:
    record = Record.make(Destination("t", b"k"), b"v" * 5000, encode_headers([]), 5, None)
    check([record] * 100, compression)
    head, body = encode_batch([record] * 100, compression=compression)
    read, _ = read_batch(head + body)
    assert read.compression_type == NUMBERS[compression]
    assert (len(body) < 50_000) == (compression != "none")


def test_more_records_than_the_table() -> None:
    record = Record.make(Destination("t", b"k"), b"v", encode_headers([]), 5, None)
    check([record] * 17_000, "none")


def test_times_may_step_back() -> None:
    where = Destination("t", b"k")
    check([Record.make(where, b"v", encode_headers([]), time, None) for time in (1000, 2000, 10, -1, 1 << 41)], "none")


def test_an_empty_value_is_not_null() -> None:
    head, body = encode_batch([Record.make(Destination("t", b"k"), b"", encode_headers([]), 5, None)])
    _, [read] = read_batch(head + body)
    assert read.value == b""


def test_without_idempotence() -> None:
    head, body = encode_batch([Record.make(Destination("t", b"k"), b"v", encode_headers([]), 5, None)])
    read, _ = read_batch(head + body)
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (-1, -1, -1)


@given(st.binary(max_size=300))
def test_the_checksum_is_castagnoli(data: bytes) -> None:
    assert crc32c(data) == calc_crc32c(data)
    assert crc32c(b"123456789") == 0xE3069283

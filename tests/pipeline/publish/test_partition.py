"""The partitioner agrees with Kafka's: Java's published vectors, and aiokafka's port."""

import aiokafka.partitioner as theirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.batch import murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2; Java's int is signed.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("key", JAVA)
def test_java_vectors(key: bytes) -> None:
    assert murmur2(key) == JAVA[key] & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 1000))
def test_agrees_with_aiokafka(key: bytes, partitions: int) -> None:
    assert murmur2(key) == theirs.murmur2(key)
    everyone = list(range(partitions))
    assert partition_of(key, partitions) == theirs.DefaultPartitioner()(key, everyone, everyone)

"""The frame walker: any split of a stream gives the same messages; what is not MQTT is refused, and nothing else."""

import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.mqtt_frames import INVALID_TOPIC, Frames, ProtocolError
from pipeline.message import Message
from tests.pipeline.feeds.scripted_broker import PINGRESP, puback, publish
from tests.support.generator import remaining_length

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Taken = tuple[list[Message], bytes, list[tuple[int, bytes]]]


def take(frames: Frames, limit: int = 1000) -> Taken:
    messages: list[Message] = []
    acknowledgement = b""
    packets: list[tuple[int, bytes]] = []
    while True:
        found, token = frames.messages(limit, 7)
        messages += found
        acknowledgement += token
        packet = frames.packet()
        if packet is not None:
            packets.append(packet)
        elif not found:
            return messages, acknowledgement, packets


def split(stream: bytes, cuts: list[int], *, version5: bool = False) -> Taken:
    frames = Frames(version5=version5, max_packet=1 << 18)
    messages: list[Message] = []
    acknowledgement = b""
    packets: list[tuple[int, bytes]] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        frames.feed(stream[start:end])
        found, token, others = take(frames)
        messages, acknowledgement, packets = messages + found, acknowledgement + token, packets + others
    return messages, acknowledgement, packets


def text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def publish5(topic: str, payload: bytes, packet_id: int, properties: bytes) -> bytes:
    inner = remaining_length(len(properties)) + properties + payload
    return publish(topic, inner, packet_id)


published = st.tuples(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
    st.one_of(st.binary(max_size=200), st.sampled_from([b"x" * size for size in (126, 127, 16_370, 16_400, 20_000)])),
    st.integers(1, 65_535),
    st.sampled_from([0, 1, 1, 1, 2]),
    st.booleans(),
)


@given(st.lists(published, max_size=12), st.lists(st.integers(0, 1 << 20), max_size=12), st.booleans())
def test_any_split_of_a_stream_gives_the_same_messages(
    sent: list[tuple[str, bytes, int, int, bool]],
    cuts: list[int],
    pings: bool,
) -> None:
    parts = [publish(topic, payload, number, qos=qos, retain=keep) for topic, payload, number, qos, keep in sent]
    stream = (PINGRESP if pings else b"").join(parts)

    messages, acknowledgement, packets = split(stream, cuts)

    assert messages == [Message(topic, payload, 7, keep) for topic, payload, _, _, keep in sent]
    kinds = {1: 0x40, 2: 0x50}
    assert acknowledgement == b"".join(struct.pack(">BBH", kinds[qos], 2, n) for _, _, n, qos, _ in sent if qos)
    assert packets == [(0xD0, b"")] * (max(len(sent) - 1, 0) if pings else 0)


@given(st.lists(published, max_size=5), st.binary(max_size=60), st.lists(st.integers(0, 4096), max_size=6))
def test_garbage_behind_good_messages_raises_nothing_but_protocol_errors(
    sent: list[tuple[str, bytes, int, int, bool]], garbage: bytes, cuts: list[int]
) -> None:
    stream = b"".join(publish(topic, payload, number, qos=qos) for topic, payload, number, qos, _ in sent) + garbage
    for version5 in (False, True):
        try:
            split(stream, cuts, version5=version5)
        except ProtocolError as error:
            assert str(error).startswith("The broker sent a ")


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 1 << 16), max_size=8))
def test_version_5_properties_are_skipped_and_the_trace_context_is_taken(
    chance: random.Random, cuts: list[int]
) -> None:
    known = [
        b"\x01\x01",
        b"\x02\x00\x00\x00\x3c",
        b"\x03" + text(b"text/plain\x00\x0btraceparent"),
        b"\x08" + text(b"answers/here"),
        b"\x09" + text(b"\x26\x00"),
        b"\x0b\x80\x01",
        b"\x26" + text(b"vendor") + text(b"acme" * 40),
    ]
    trace = b"\x26" + text(b"traceparent") + text(TRACE.encode())
    chosen = [[one for one in [*known, trace] if chance.random() < 0.5] for _ in range(5)]
    stream = b"".join(publish5(f"a/{n}", b"p%d" % n, n + 1, b"".join(some)) for n, some in enumerate(chosen))

    messages, acknowledgement, _ = split(stream, cuts, version5=True)

    expected = [
        Message(f"a/{n}", b"p%d" % n, 7, traceparent=TRACE if trace in some else None) for n, some in enumerate(chosen)
    ]
    assert messages == expected
    assert acknowledgement == puback(1, 2, 3, 4, 5)


def test_a_trace_context_that_is_none_is_left_out() -> None:
    stream = publish5("a", b"x", 1, b"\x26" + text(b"traceparent") + text(b"00-\r\nX: y"))
    assert split(stream, [], version5=True)[0] == [Message("a", b"x", 7)]


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("a length of five bytes", b"\x32\xff\xff\xff\xff\x01"),
        ("a topic longer than the packet", b"\x32\x05\x00\x09abc"),
        ("no room for the packet id", b"\x32\x05\x00\x03abc"),
        ("QoS 3", b"\x36\x07\x00\x03abc\x00\x01"),
        ("no topic", b"\x30\x02\x00\x00"),
        ("nothing at all", b"\x30\x00"),
        ("a packet of another type that is too long", b"\x90\xff\xff\xff\x7f"),
    ],
)
def test_a_malformed_packet_is_refused_after_the_good_ones(name: str, stream: bytes) -> None:
    frames = Frames(version5=False, max_packet=1 << 18)
    frames.feed(publish("a", b"good", 9) + stream)

    assert frames.messages(10, 7) == ([Message("a", b"good", 7)], puback(9)), name
    with pytest.raises(ProtocolError):
        frames.packet()


@pytest.mark.parametrize(
    "properties", [b"\x05\x01", b"\x02\x7f\x00", b"\x03\x26\x00\x01", b"\xff\xff\xff\xff\x01", b""]
)
def test_malformed_properties_are_refused(properties: bytes) -> None:
    frames = Frames(version5=True, max_packet=1 << 18)
    frames.feed(publish("a", properties, 1))

    assert frames.messages(10, 7) == ([], b"")
    with pytest.raises(ProtocolError):
        frames.packet()


def test_the_window_is_exact_and_the_rest_waits_unparsed() -> None:
    frames = Frames(version5=False, max_packet=1 << 18)
    frames.feed(b"".join(publish("a", b"%d" % n, n) for n in range(1, 8)))

    assert frames.messages(3, 1)[1] == puback(1, 2, 3)
    assert frames.messages(0, 1) == ([], b"")
    assert frames.packet() is None
    assert frames.messages(100, 1)[1] == puback(4, 5, 6, 7)


def test_an_invalid_topic_is_marked_and_stays_readable() -> None:
    frames = Frames(version5=False, max_packet=1 << 18)
    frames.feed(publish(b"city/\xff\xfe", b"x", 1))
    assert frames.messages(1, 7)[0] == [Message(INVALID_TOPIC + "city/\\xff\\xfe", b"x", 7)]


@given(st.lists(st.integers(0, 1 << 19), max_size=5), st.integers(83_000, 400_000))
def test_a_packet_that_is_too_long_is_cut_but_stays_too_long(cuts: list[int], size: int) -> None:
    stream = publish("a", b"1", 1) + publish("b", b"x" * size, 2) + publish("c", b"3", 3)
    frames, limit = Frames(version5=False, max_packet=1), 1 << 14
    messages: list[Message] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    acknowledgement = b""
    for start, end in itertools.pairwise(edges):
        frames.feed(stream[start:end])
        found, token, _ = take(frames)
        messages += found
        acknowledgement += token

    assert [message.topic for message in messages] == ["a", "b", "c"]
    assert limit < len(messages[1].payload) <= size
    assert acknowledgement == puback(1, 2, 3)


def test_known_topics_are_bounded() -> None:
    frames = Frames(version5=False, max_packet=1 << 18)
    for start in range(0, 140_000, 20_000):
        frames.feed(b"".join(publish(f"t/{n}", b"", 1) for n in range(start, start + 20_000)))
        assert len(frames.messages(20_000, 1)[0]) == 20_000
    assert len(frames._topics) <= 65_536

"""The frame walker: any split of a stream gives the same messages; what is not MQTT is refused, and nothing else."""

import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.delivery import INVALID_TOPIC, Broken, Cut, Message
from pipeline.feeds.mqtt.packets import Frames, ProtocolError
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
    frames = Frames(version5=version5, max_payload=1 << 18)
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
    st.text(st.characters(codec="utf-8", exclude_characters="\0#+"), min_size=1, max_size=30),
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


NO_TOPIC = INVALID_TOPIC


@pytest.mark.parametrize(
    ("why", "packet", "token", "topic"),
    [
        ("its inner lengths do not fit it", b"\x32\x05\x00\x09abc", b"", "abc"),
        ("its inner lengths do not fit it", b"\x32\x05\x00\x03abc", b"", "abc"),
        ("its QoS is 3", b"\x36\x07\x00\x03abc\x00\x01", puback(1), "abc"),
        ("its topic is empty", b"\x30\x02\x00\x00", b"", ""),
        ("its topic is empty", b"\x32\x05\x00\x00\x00\x07x", puback(7), ""),
        ("it has no topic", b"\x30\x00", b"", ""),
        ("it has no topic", b"\x32\x01\x00", b"", ""),
        ("its packet id is 0", b"\x32\x06\x00\x01a\x00\x00x", b"", "a"),
        ("its packet id is 0", b"\x34\x06\x00\x01a\x00\x00x", b"", "a"),
    ],
)
@pytest.mark.parametrize("good", [0, 1, 40])
def test_a_publish_against_the_rules_is_read_past_and_its_start_is_kept(
    why: str, packet: bytes, token: bytes, topic: str, good: int
) -> None:
    before = b"".join(publish("a", b"good", number) for number in range(1, good + 1))
    messages, acknowledgement, _ = split(before + packet + publish("b", b"good", 9), [], version5=False)

    assert messages[:good] == [Message("a", b"good", 7)] * good
    assert messages[good + 1 :] == [Message("b", b"good", 7)]
    broken = messages[good]
    assert broken.topic == NO_TOPIC + topic
    assert isinstance(broken.payload, Broken)
    assert (broken.payload.why, bytes(broken.payload), broken.payload.size) == (why, packet, len(packet))
    assert acknowledgement == puback(*range(1, good + 1)) + token + puback(9)


@pytest.mark.parametrize("good", [0, 1, 50])
def test_many_packet_ids_of_0_cost_each_message_two_looks_at_most(good: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was once looked for from the beginning of the window: two minutes for a read of 256 KiB."""
    looked, sound = 0, Frames._sound

    def counted(frames: Frames, limit: int, arrival: int, most: int) -> tuple[list[Message], bytes]:
        nonlocal looked
        found = sound(frames, limit, arrival, most)
        looked += len(found[0])
        return found

    monkeypatch.setattr(Frames, "_sound", counted)
    one = b"".join(publish("a", b"x", number) for number in range(1, good + 1)) + publish("a", b"x", 0)
    times = 2000 // (good + 1)
    messages, acknowledgement, _ = split(one * times, [30_000 // 7])
    assert len(messages) == times * (good + 1)
    assert sum(isinstance(each.payload, Broken) for each in messages) == times
    assert acknowledgement == puback(*range(1, good + 1)) * times
    assert looked <= 2 * len(messages) + 10


@pytest.mark.parametrize(
    "properties", [b"\x05\x01", b"\x02\x7f\x00", b"\x03\x26\x00\x01", b"\xff\xff\xff\xff\x01", b"", b"\x03\x03\x00\x09"]
)
def test_malformed_properties_are_read_past(properties: bytes) -> None:
    stream = publish("a", properties, 1) + publish5("b", b"good", 2, b"")
    [broken, good], acknowledgement, _ = split(stream, [], version5=True)

    assert isinstance(broken.payload, Broken)
    assert broken.topic == INVALID_TOPIC + "a"
    assert good == Message("b", b"good", 7)
    assert acknowledgement == puback(1, 2)


def test_a_length_of_five_bytes_is_no_mqtt() -> None:
    frames = Frames(version5=False, max_payload=1 << 18)
    frames.feed(publish("a", b"good", 9) + b"\x32\xff\xff\xff\xff\x01")
    assert frames.messages(10, 7) == ([Message("a", b"good", 7)], puback(9))
    with pytest.raises(ProtocolError):
        frames.packet()


def user_properties(size: int, each: int = 1000) -> bytes:
    one = b"\x26" + text(b"key") + text(b"v" * (each - 8))
    return one * (size // each)


@pytest.mark.parametrize("properties", [1000, 100_000, 240_000, 3_000_000])
@pytest.mark.parametrize("payload", [0, 10, 240_000, 1_000_000])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("piece", [16_384, 262_144])
def test_properties_of_any_length_do_not_count_as_payload(properties: int, payload: int, qos: int, piece: int) -> None:
    content = b"p" * payload
    inner = user_properties(properties)
    inner += b"\x26" + text(b"traceparent") + text(TRACE.encode()) if properties < 100_000 else b""
    inner = remaining_length(len(inner)) + inner + content
    stream = publish("a", inner, 1, qos=qos) + publish5("b", b"2", 2, b"")
    messages, acknowledgement, _ = split(stream, list(range(0, len(stream), piece)), version5=True)

    trace = TRACE if properties < 100_000 else None
    assert messages == [Message("a", content, 7, traceparent=trace), Message("b", b"2", 7)]
    assert type(messages[0].payload) is bytes
    assert acknowledgement == [b"", puback(1), b"\x50\x02\x00\x01"][qos] + puback(2)


@given(st.binary(max_size=300), st.booleans(), st.lists(st.integers(0, 300), max_size=4), st.integers(0, 15))
def test_any_publish_becomes_one_message_and_the_next_one_comes(
    body: bytes, version5: bool, cuts: list[int], flags: int
) -> None:
    """Whatever stands in a PUBLISH, it costs itself alone."""
    stream = bytes((0x30 | flags,)) + remaining_length(len(body)) + body
    good = publish5("b", b"good", 9, b"") if version5 else publish("b", b"good", 9)
    messages, _, packets = split(stream + good, cuts, version5=version5)
    assert len(messages) == 2
    assert messages[1] == Message("b", b"good", 7)
    assert not packets


def test_many_properties_are_not_all_looked_at() -> None:
    """A walk over all of them would hold up everything else: 50,000 fit into 256 KiB."""
    inner = b"\x26\x00\x00\x00\x00" * 50_000
    stream = publish5("a", b"x", 1, inner + b"\x26" + text(b"traceparent") + text(TRACE.encode()))
    assert split(stream, [], version5=True)[0] == [Message("a", b"x", 7)]


@pytest.mark.parametrize("command", [0x20, 0x90, 0xE0])
@pytest.mark.parametrize("size", [500, 90_000, 700_000, 3_000_000])
def test_a_long_answer_is_read_with_bounded_memory(command: int, size: int) -> None:
    head, codes = {0x20: (b"\x00\x00", b""), 0x90: (b"\x00\x05", b"\x01\x80"), 0xE0: (b"\x8e", b"")}[command]
    inner = user_properties(size)
    body = head + remaining_length(len(inner)) + inner + codes
    stream = bytes((command,)) + remaining_length(len(body)) + body + publish5("b", b"good", 9, b"")
    messages, _, packets = split(stream, list(range(0, len(stream), 50_000)), version5=True)
    [(kind, came)] = packets
    assert kind == command
    assert came == body if size < 130_000 else head + b"\0" + codes
    assert messages == [Message("b", b"good", 7)]


def test_the_window_is_exact_and_the_rest_waits_unparsed() -> None:
    frames = Frames(version5=False, max_payload=1 << 18)
    frames.feed(b"".join(publish("a", b"%d" % n, n) for n in range(1, 8)))

    assert frames.messages(3, 1)[1] == puback(1, 2, 3)
    assert frames.messages(0, 1) == ([], b"")
    assert frames.packet() is None
    assert frames.messages(100, 1)[1] == puback(4, 5, 6, 7)


def test_an_invalid_topic_is_marked_and_stays_readable() -> None:
    frames = Frames(version5=False, max_payload=1 << 18)
    frames.feed(publish(b"city/\xff\xfe", b"x", 1))
    assert frames.messages(1, 7)[0] == [Message(INVALID_TOPIC + "city/\\xff\\xfe", b"x", 7)]


@pytest.mark.parametrize("topic", ["city/+", "city/#", "a\0b"])
def test_a_topic_that_mqtt_does_not_allow_is_marked(topic: str) -> None:
    assert split(publish(topic, b"x", 1), [])[0] == [Message(INVALID_TOPIC + topic, b"x", 7)]


@pytest.mark.parametrize("max_payload", [1, 1 << 20, 3 << 20])
@pytest.mark.parametrize("over", [-1, 0, 1, 1_000_000])
def test_only_a_payload_too_long_to_be_held_is_cut_and_says_so(max_payload: int, over: int) -> None:
    """What is cut stays longer than `max_payload`, so that each stage refuses it by its length."""
    held = max(max_payload + 1, 1 << 20)
    content = b"x" * (held + over)
    stream = publish("a", b"1", 1) + publish("b", content, 2) + publish("c", b"3", 3)
    frames = Frames(version5=False, max_payload=max_payload)
    messages: list[Message] = []
    acknowledgement, most = b"", 0
    for at in range(0, len(stream), 65_537):
        frames.feed(stream[at : at + 65_537])
        found, token, _ = take(frames)
        messages, acknowledgement, most = messages + found, acknowledgement + token, max(most, frames.waiting)

    assert [message.topic for message in messages] == ["a", "b", "c"]
    payload = messages[1].payload
    assert isinstance(payload, Cut) is (over > 0)
    assert len(payload) == min(held, held + over)
    assert len(payload) > max_payload or over < 0
    assert not isinstance(payload, Cut) or payload.size == len(content)
    assert most <= 1 << 17
    assert acknowledgement == puback(1, 2, 3)


def test_known_topics_are_bounded() -> None:
    frames = Frames(version5=False, max_payload=1 << 18)
    for start in range(0, 140_000, 20_000):
        frames.feed(b"".join(publish(f"t/{n}", b"", 1) for n in range(start, start + 20_000)))
        assert len(frames.messages(20_000, 1)[0]) == 20_000
    assert len(frames._topics) <= 65_536

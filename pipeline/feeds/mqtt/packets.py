"""The bytes of one MQTT connection, cut into messages and other packets.

This is the first loop of the hot path: it runs once for each message, on whole reads of up to 256 KiB, and makes
`Message`s and the joined acknowledgement of a batch without a function call of Python's for each.
"""

from __future__ import annotations

import re
import struct
import sys
from typing import Final

from pipeline.core.delivery import INVALID_TOPIC, Broken, Cut, Message
from pipeline.core.errors import HeadraceError

LONGEST_TOPIC: Final = 65_535
PUBLISH: Final = 0x30
QOS: Final = 6  # the bits of the first byte
MORE: Final = 128  # the bit of a length's byte that says another follows (MQTT 3.1.1 section 2.2.3)
LENGTH_BYTES: Final = 4
TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
UINT16: Final = struct.Struct(">H").unpack_from

# What is held of topic, packet id and properties; what of the properties does not fit is read past.
_FRONT: Final = 2 * (LONGEST_TOPIC + 1)
# A PUBLISH may hold 50,000 properties. So many are looked at, or one packet would hold up the others for 30 ms.
_LOOKED_AT: Final = 100
_NO_TOPIC: Final = re.compile("[#+\0]")  # what no topic of a PUBLISH may hold (MQTT 5 sections 3.3.2.1 and 1.5.4)
# MQTT 5 section 2.2.2.2: how many bytes a property has; by what stands in front of it where it is negative.
_TEXT, _PAIR, _VARINT = -1, -2, -3
_IN_PUBLISH: Final = {1: 1, 2: 4, 3: _TEXT, 8: _TEXT, 9: _TEXT, 11: _VARINT, 35: 2, 38: _PAIR}
_IN_OTHERS: Final = {
    **dict.fromkeys((36, 37, 40, 41, 42), 1),
    **dict.fromkeys((19, 33, 34), 2),
    **dict.fromkeys((17, 39), 4),
    **dict.fromkeys((18, 21, 22, 26, 28, 31), _TEXT),
    38: _PAIR,
}
_FOR_PEOPLE: Final = {31, 38}  # a reason in words, and whatever a user adds
# Bytes in front of the properties: of CONNACK, PUBACK to PUBCOMP, SUBACK, UNSUBACK, DISCONNECT and AUTH.
_BEFORE: Final = {0x20: 2, 0x40: 3, 0x50: 3, 0x60: 3, 0x70: 3, 0x90: 2, 0xB0: 2, 0xE0: 1, 0xF0: 1}
_LONG_PROPERTIES: Final = 1024


class Packet:
    """A packet behind its fixed header, `size` bytes that come in pieces: `feed` it until `left` is 0.

    Of what stands in front of a payload (or of reason codes) the first 128 KiB are held, of the payload `keep` bytes.
    """

    def __init__(self, command: int, size: int, *, version5: bool, keep: int) -> None:
        self.command = command
        self.left = size
        self._size = size
        self._version5 = version5
        self._keep = keep
        self._front = bytearray()
        self._rest = bytearray()
        self._rest_at = -1  # until enough has come to tell; beyond `size` where the packet contradicts itself

    @property
    def held(self) -> int:
        """How many bytes of it are in memory."""
        return len(self._front) + len(self._rest)

    def feed(self, data: bytes, at: int = 0) -> int:
        """Take from `data`, from `at` on, what belongs to this packet, and return where the next one begins."""
        came = self._size - self.left
        end = min(at + self.left, len(data))
        self.left -= end - at
        most = _FRONT if self._rest_at < 0 else min(_FRONT, self._rest_at)
        if len(self._front) < most:
            self._front += data[at : min(end, at + most - len(self._front))]
        if self._rest_at < 0:
            self._rest_at = _rest_at(self.command, self._front, version5=self._version5)
            if self._rest_at >= 0:
                del self._front[self._rest_at :]
        if self._rest_at >= 0 and len(self._rest) < self._keep:
            start = at + max(self._rest_at - came, 0)  # never in an earlier piece: its place is told in front of it
            self._rest += data[start : min(end, start + self._keep - len(self._rest))]
        return end

    def message(self, arrival: int) -> tuple[Message, bytes]:
        """Return a PUBLISH as a message, and its acknowledgement.

        One that breaks a rule has a `Broken` payload and a topic that no route matches; one too long a `Cut` payload.
        """
        topic, token, why = self._envelope()
        traceparent = None
        if not why and self._version5:
            at, traceparent = properties(bytes(self._front), self._properties_at, self._rest_at)
            why = "" if at else "a property is malformed"
        if why:
            first = fixed_header(self.command, self._size)
            start = self._front if len(self._front) < self._rest_at else self._front + self._rest
            payload: bytes = Broken(first + start, len(first) + self._size, why)
            return Message(INVALID_TOPIC + topic.removeprefix(INVALID_TOPIC), payload, arrival), token
        size = self._size - self._rest_at
        payload = bytes(self._rest) if size == len(self._rest) else Cut(self._rest, size)
        return Message(topic, payload, arrival, self.command & 1 == 1, traceparent), token

    def body(self) -> bytes:
        """Return what follows the fixed header of another packet, without properties where those were too long."""
        if not 0 <= self._rest_at <= self._size:
            return bytes(self._front)  # and paho says what is wrong
        front = self._front[: self._rest_at]
        if len(front) < self._rest_at:
            front = front[: _BEFORE[self.command & 0xF0]] + b"\0"
        return bytes(front + self._rest)

    @property
    def _properties_at(self) -> int:
        topic_size: int = UINT16(self._front)[0]
        return 2 + topic_size + (2 if self.command & QOS else 0)

    def _envelope(self) -> tuple[str, bytes, str]:
        """Return topic, acknowledgement, and what is wrong with them or with the packet's lengths."""
        if self._size < 2:  # noqa: PLR2004
            return "", b"", "it has no topic"
        front, qos = self._front, self.command & QOS
        topic_size: int = UINT16(front)[0]
        topic = decoded(bytes(front[2 : 2 + topic_size]))
        number = bytes(front[2 + topic_size : 4 + topic_size]) if qos else b""
        token = b""
        if len(number) == 2 and any(number):  # noqa: PLR2004
            token = (b"\x50\x02" if qos == 4 else b"\x40\x02") + number  # noqa: PLR2004
        if qos == QOS:
            return topic, token, "its QoS is 3"
        if not 0 <= self._rest_at <= self._size:
            return topic, token, "its inner lengths do not fit it"
        if qos and not token:
            return topic, token, "its packet id is 0"
        return topic, token, "" if topic_size else "its topic is empty"


def fixed_header(command: int, size: int) -> bytes:
    """Encode the first byte of a packet and the length of what follows."""
    encoded = bytearray((command,))
    while size >= MORE:
        encoded.append(size & 127 | MORE)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)


def decoded(raw: bytes) -> str:
    """Decode a topic; one that MQTT does not allow in a PUBLISH begins with INVALID_TOPIC, and stays readable."""
    try:
        topic = raw.decode()
    except UnicodeDecodeError:
        return INVALID_TOPIC + raw.decode(errors="backslashreplace")
    return INVALID_TOPIC + topic if _NO_TOPIC.search(topic) else topic


def properties(data: bytes, at: int, end: int) -> tuple[int, str | None]:
    """Find the payload and a W3C trace context in an MQTT 5 PUBLISH (section 3.3.2.3); a malformed one starts at 0.

    The first 100 properties are looked at, as far as `data` holds them.
    """
    traceparent, stop, left = None, 0, _LOOKED_AT
    try:
        at, size = varint(data, at)
        stop = at + size
        if stop > end:
            return 0, None
        while at < stop and left:
            left -= 1
            kind = _IN_PUBLISH[data[at]]
            begin = at + 1
            at = _after(data, begin, kind)
            if kind == _PAIR and data[begin : begin + 13] == b"\x00\x0btraceparent":
                traceparent = _trace(data[begin + 15 : at])
    except KeyError:
        return 0, None
    except (IndexError, struct.error):
        if stop <= len(data):
            return 0, None  # else it is the end of what is held
    return (stop, traceparent) if at <= stop else (0, None)


def lean(command: int, body: bytes) -> bytes:
    """Leave out what only people read in the properties of an MQTT 5 packet other than PUBLISH, if they are long.

    paho takes time by the square of their length.
    """
    start = _BEFORE.get(command & 0xF0)
    if start is None or len(body) <= _LONG_PROPERTIES:
        return body
    kept = bytearray()
    try:
        at, size = varint(body, start)
        stop = at + size
        while at < stop:
            begin, number = at, body[at]
            at = _after(body, begin + 1, _IN_OTHERS[number])
            if number not in _FOR_PEOPLE:
                kept += body[begin:at]
    except (KeyError, IndexError, struct.error):
        return body
    return body if at != stop else body[:start] + fixed_header(0, len(kept))[1:] + kept + body[stop:]


def varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Read a variable byte integer; return where it ends, and its value.

    Raises:
        IndexError: it is not whole, or has more than four bytes.
    """
    value = 0
    for shift in range(0, 7 * LENGTH_BYTES, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < MORE:
            return at, value
    raise IndexError


def _rest_at(command: int, front: bytearray, *, version5: bool) -> int:
    """Find where the payload or the reason codes begin; -1 while that cannot be told."""
    kind = command & 0xF0
    at = _BEFORE.get(kind, 0)
    if kind == PUBLISH:
        if len(front) < 2:  # noqa: PLR2004
            return -1
        at = 2 + UINT16(front)[0] + (2 if command & QOS else 0)
    if not version5 or (kind != PUBLISH and kind not in _BEFORE):
        return at
    try:
        at, size = varint(front, at)
    except IndexError:
        return -1
    return at + size


def _after(data: bytes, at: int, kind: int) -> int:
    if kind > 0:
        return at + kind
    if kind == _VARINT:
        return varint(data, at)[0]
    after = at + 2 + int(UINT16(data, at)[0])
    return after if kind == _TEXT else _after(data, after, _TEXT)


def _trace(value: bytes) -> str | None:
    return value.decode() if TRACEPARENT.fullmatch(value) else None


_PUBLISH_ONCE: Final = 0x32  # the common first byte: QoS 1, neither DUP nor RETAIN
_HEADER: Final = struct.Struct(">BBBH").unpack_from  # the fixed header of two length bytes, and the topic's length
_NO_ID: Final = b"\x02\0\0"  # the end of a PUBACK or PUBREC with packet id 0; across two of them it cannot stand
_KNOWN_TOPICS: Final = 65_536
_KNOWN_TOPIC_BYTES: Final = 200
_LONGEST_WAITING: Final = 64 * 1024  # a longer packet, of which only a part has come, is collected apart
_LEAST_KEPT: Final = 1024 * 1024  # bytes of a payload: about what a topic of Kafka takes in one dead letter


class ProtocolError(HeadraceError):
    """The peer sent what is not MQTT; only dropping the connection helps."""


class Frames:
    """What was received and not yet taken. `feed` it, then take `messages` and `packet` in turns until both bring none.

    Every PUBLISH becomes a message, however long it is and whatever is wrong with it, so that a session is never stuck
    on one: a payload longer than `max_payload` and than 1 MiB is `Cut`, and a packet that breaks the rules is `Broken`.
    """

    def __init__(self, *, version5: bool, max_payload: int) -> None:
        self._version5 = version5
        self._keep = max(max_payload + 1, _LEAST_KEPT)
        self._data = b""
        self._pos = 0
        self._apart: Packet | None = None
        self._one_by_one = 0  # up to here in the data messages are taken singly, for one of them has no packet id
        self._topics: dict[bytes, str] = {}
        self.taken = 0  # bytes in memory of the packets that the last `messages` brought

    @property
    def waiting(self) -> int:
        """How many bytes wait unparsed."""
        return len(self._data) - self._pos

    def feed(self, data: bytes) -> None:
        """Add what was read; at most one read, and what is kept of one incomplete packet, are ever held."""
        if self._apart is not None and self._apart.left:
            data = data[self._apart.feed(data) :]
        self._one_by_one = max(self._one_by_one - self._pos, 0)
        self._data = self._data[self._pos :] + data if self._pos < len(self._data) else data
        self._pos = 0

    def messages(self, limit: int, arrival: int, most: int = sys.maxsize) -> tuple[list[Message], bytes]:
        """Take at most `limit` messages of `most` bytes, up to the first packet that is no PUBLISH.

        The first message may be larger than `most`: it comes alone.

        Returns them and their acknowledgement: PUBACK (PUBREC for QoS 2) of each, in order (MQTT 3.1.1 section 4.6).
        """
        if self._apart is None:
            start = self._pos
            found, token = self._sound(min(limit, 1) if start < self._one_by_one else limit, arrival, most)
            if _NO_ID in token:
                walked = self._pos
                self._pos, self._apart = start, None
                if len(found) > 1:
                    self._one_by_one = walked
                    return self.messages(limit, arrival, most)
                self._set_apart()
            elif found:
                return found, token
        apart = self._apart
        if apart is None or apart.left or limit < 1 or apart.command & 0xF0 != PUBLISH:
            return [], b""
        self._apart, self.taken = None, apart.held
        message, token = apart.message(arrival)
        return [message], token

    def _sound(  # noqa: C901, PLR0912
        self, limit: int, arrival: int, most: int
    ) -> tuple[list[Message], bytes]:
        """Take messages that are here whole and have no fault, which is nearly each; the next one is set apart."""
        # One long function on purpose: each call of a helper in this loop would cost a fifth of the message.
        data, pos, version5, topics = self._data, self._pos, self._version5, self._topics
        size, make, traceparent = self._bound(most), tuple.__new__, None
        found: list[Message] = []
        ids: list[bytes] = []
        exactly_once: list[int] = []
        for _ in range(limit):
            try:
                command, low, high, topic_size = _HEADER(data, pos)
            except struct.error:
                break
            if low < MORE:
                start, end, topic_size = pos + 4, pos + 2 + low, high << 8 | topic_size >> 8
            elif high < MORE:
                start, end = pos + 5, pos - 125 + low + (high << 7)
            else:
                start, end, topic_size = self._long(pos)
            payload_at = topic_end = start + topic_size
            if command != _PUBLISH_ONCE and command & 0xF6 != PUBLISH:
                if command & 0xF0 != PUBLISH or command & QOS == QOS:
                    break
                if command & 4:
                    exactly_once.append(len(ids))
            if command & QOS:
                payload_at += 2
            if end > size or payload_at > end:
                break
            if version5:
                if payload_at < end and not data[payload_at]:
                    payload_at, traceparent = payload_at + 1, None
                else:
                    payload_at, traceparent = properties(data, payload_at, end)
                    if not payload_at:
                        break
            raw = data[start:topic_end]
            try:
                topic = topics[raw]
            except KeyError:
                if not raw:
                    break
                topic = self._topic(raw)
            if command & QOS:
                ids.append(data[topic_end : topic_end + 2])
            found.append(make(Message, (topic, data[payload_at:end], arrival, command & 1 == 1, traceparent)))
            pos = end
        else:
            limit = 0
        self.taken, self._pos = pos - self._pos, pos
        bounded = bool(found) and size < len(data)  # what stands next may be whole, and is for the next call
        if limit and pos < size and not bounded and data[pos] & 0xF0 == PUBLISH:
            self._set_apart()
        return found, _acknowledgement(ids, exactly_once)

    def _bound(self, most: int) -> int:
        """Return where the messages of one call end at the latest."""
        size, bound = len(self._data), self._pos + most
        if bound >= size:
            return size
        extent = _extent(self._data, self._pos)
        return bound if extent is None else min(max(bound, extent[1]), size)

    def packet(self) -> tuple[int, bytes] | None:
        """Take the next packet that is no PUBLISH: its first byte and what follows the fixed header.

        None when a PUBLISH is next or nothing is complete.

        Raises:
            ProtocolError: what comes next is not MQTT.
        """
        data, pos = self._data, self._pos
        if self._apart is None and pos < len(data):
            extent = _extent(data, pos)
            if extent is None and len(data) - pos > LENGTH_BYTES:
                raise ProtocolError("The broker sent a packet whose length has more than four bytes.")
            if extent is None or data[pos] & 0xF0 == PUBLISH:
                return None
            if extent[1] <= len(data):
                self._pos = extent[1]
                return data[pos], data[extent[0] : extent[1]]
            self._set_apart()
        apart = self._apart
        if apart is None or apart.left or apart.command & 0xF0 == PUBLISH:
            return None
        self._apart = None
        return apart.command, apart.body()

    def _set_apart(self) -> None:
        """Take the next packet apart from the others, if it is here whole or too long to wait for in the buffer."""
        extent = _extent(self._data, self._pos)
        if extent is None:
            return
        body, end = extent
        if end <= len(self._data) or end - body > _LONGEST_WAITING:
            self._apart = Packet(self._data[self._pos], end - body, version5=self._version5, keep=self._keep)
            self._pos = self._apart.feed(self._data, body)

    def _long(self, pos: int) -> tuple[int, int, int]:
        extent = _extent(self._data, pos)
        if extent is None or extent[1] - extent[0] < 2 or len(self._data) < extent[1]:  # noqa: PLR2004
            return 0, len(self._data) + 1, 0
        return extent[0] + 2, extent[1], UINT16(self._data, extent[0])[0]

    def _topic(self, raw: bytes) -> str:
        topic = decoded(raw)
        if len(self._topics) >= _KNOWN_TOPICS:
            self._topics.clear()
        if len(raw) <= _KNOWN_TOPIC_BYTES:
            self._topics[raw] = topic
        return topic


def _acknowledgement(ids: list[bytes], exactly_once: list[int]) -> bytes:
    if not ids:
        return b""
    joined = b"@\x02" + b"@\x02".join(ids)
    if not exactly_once:
        return joined
    mixed = bytearray(joined)
    for index in exactly_once:
        if index < len(ids):
            mixed[index * 4] = 0x50
    return bytes(mixed)


def _extent(data: bytes, pos: int) -> tuple[int, int] | None:
    """Find where a packet's body starts and ends, or None when its length has no last byte."""
    length = shift = 0
    for at in range(pos + 1, min(pos + 1 + LENGTH_BYTES, len(data))):
        length |= (data[at] & 127) << shift
        shift += 7
        if data[at] < MORE:
            return at + 1, at + 1 + length
    return None

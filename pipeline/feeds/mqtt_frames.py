"""The bytes of one MQTT connection, cut into messages and other packets.

This is the first loop of the hot path: it runs once for each message, on whole reads of up to 256 KiB, and makes
`Message`s and the joined acknowledgement of a batch without a function call of Python's for each.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from pipeline.errors import HeadraceError
from pipeline.message import Message

# A topic that is not valid UTF-8 starts with this; a route must never match it. The rest is readable text.
INVALID_TOPIC: Final = "\ufffd"
TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_PUBLISH: Final = 0x30
_PUBLISH_ONCE: Final = 0x32  # the common first byte: QoS 1, neither DUP nor RETAIN
_QOS: Final = 6  # the bits of the first byte
_MORE: Final = 128  # the bit of a length's byte that says another follows (MQTT 3.1.1 section 2.2.3)
_LENGTH_BYTES: Final = 4
_TWO_LENGTH_BYTES: Final = 1 << 14  # lengths below this need no third byte
_HEADER: Final = struct.Struct(">BBBH").unpack_from  # the fixed header of two length bytes, and the topic's length
_UINT16: Final = struct.Struct(">H").unpack_from
_LONGEST_PACKET: Final = (1 << 28) - 1
_LONGEST_TOPIC: Final = 65_535
_KNOWN_TOPICS: Final = 65_536
_KNOWN_TOPIC_BYTES: Final = 200
# MQTT 5 section 2.2.2.2: how many bytes a PUBLISH property has; by what stands in front of it where it is negative.
_TEXT, _PAIR, _VARINT = -1, -2, -3
_PROPERTIES: Final = {1: 1, 2: 4, 3: _TEXT, 8: _TEXT, 9: _TEXT, 11: _VARINT, 35: 2, 38: _PAIR}


class ProtocolError(HeadraceError):
    """The peer sent what is not MQTT; only dropping the connection helps."""


class Frames:
    """What was received and not yet taken. `feed` it, then take `messages` and `packet` in turns until both bring none.

    A PUBLISH much larger than `max_packet` bytes is cut, so that memory is bounded and the session is not stuck on it
    for ever: its payload stays longer than `max_packet`, and so becomes a dead letter.
    """

    def __init__(self, *, version5: bool, max_packet: int) -> None:
        self._version5 = version5
        # Never below three length bytes, which the loop checks apart from the common two.
        self._limit = min(max(max_packet, _TWO_LENGTH_BYTES) + _LONGEST_TOPIC + 5, _LONGEST_PACKET)
        self._data = b""
        self._pos = 0
        self._skip = 0
        self._topics: dict[bytes, str] = {}
        self.taken = 0  # bytes of the packets that the last `messages` brought

    def feed(self, data: bytes) -> None:
        """Add what was read; at most one read and one incomplete packet are ever held."""
        if self._skip:
            dropped = min(self._skip, len(data))
            self._skip -= dropped
            data = data[dropped:]
        self._data = self._data[self._pos :] + data if self._pos < len(self._data) else data
        self._pos = 0

    def messages(self, limit: int, arrival: int) -> tuple[list[Message], bytes]:  # noqa: C901, PLR0912
        """Take at most `limit` messages, up to the first packet that is no complete, sound PUBLISH.

        Returns them and their acknowledgement: PUBACK (PUBREC for QoS 2) of each, in order (MQTT 3.1.1 section 4.6).
        """
        self._cut()
        # One long function on purpose: each call of a helper in this loop would cost a fifth of the message.
        data, pos, version5, topics = self._data, self._pos, self._version5, self._topics
        size, make, traceparent = len(data), tuple.__new__, None
        found: list[Message] = []
        ids: list[bytes] = []
        exactly_once: list[int] = []
        for _ in range(limit):
            try:
                command, low, high, topic_size = _HEADER(data, pos)
            except struct.error:
                break
            if low < _MORE:
                start, end, topic_size = pos + 4, pos + 2 + low, high << 8 | topic_size >> 8
            elif high < _MORE:
                start, end = pos + 5, pos - 125 + low + (high << 7)
            else:
                start, end, topic_size = self._long(pos)
            payload_at = topic_end = start + topic_size
            if command != _PUBLISH_ONCE and command & 0xF6 != _PUBLISH:
                if command & 0xF0 != _PUBLISH or command & _QOS == _QOS:
                    break
                if command & 4:
                    exactly_once.append(len(ids))
            if command & _QOS:
                payload_at += 2
            if end > size or payload_at > end:
                break
            if version5:
                if payload_at < end and not data[payload_at]:
                    payload_at, traceparent = payload_at + 1, None
                else:
                    payload_at, traceparent = _properties(data, payload_at, end)
                    if not payload_at:
                        break
            raw = data[start:topic_end]
            try:
                topic = topics[raw]
            except KeyError:
                if not raw:
                    break
                topic = self._topic(raw)
            if command & _QOS:
                ids.append(data[topic_end : topic_end + 2])
            found.append(make(Message, (topic, data[payload_at:end], arrival, command & 1 == 1, traceparent)))
            pos = end
        self.taken, self._pos = pos - self._pos, pos
        return found, _acknowledgement(ids, exactly_once)

    def packet(self) -> tuple[int, bytes] | None:
        """Take the next packet that is no PUBLISH: its first byte and what follows the fixed header.

        None when a PUBLISH is next or nothing is complete.

        Raises:
            ProtocolError: what comes next is not MQTT.
        """
        data, pos = self._data, self._pos
        extent = _extent(data, pos)
        if extent is None:
            if len(data) - pos > _LENGTH_BYTES:
                raise ProtocolError("The broker sent a packet whose length has more than four bytes.")
            return None
        body, end = extent
        if data[pos] & 0xF0 == _PUBLISH:
            self._check(body, end)
            return None
        if end - body > self._limit:
            raise ProtocolError(f"The broker sent a packet of type {data[pos] >> 4} with {end - body} bytes.")
        if end > len(data):
            return None
        self._pos = end
        return data[pos], data[body:end]

    def _check(self, body: int, end: int) -> None:
        data = self._data
        qos = data[self._pos] & _QOS
        if qos == _QOS:
            raise ProtocolError("The broker sent a PUBLISH with QoS 3.")
        if end > len(data) or end - body > self._limit:
            return
        topic_size = _UINT16(data, body)[0] if end - body > 1 else 0
        at = body + 2 + topic_size + (2 if qos else 0)
        too_long = body - self._pos > 3 and end - body < _TWO_LENGTH_BYTES  # noqa: PLR2004
        if too_long or not topic_size or at > end or (self._version5 and not _properties(data, at, end)[0]):
            raise ProtocolError(f"The broker sent a PUBLISH of {end - body} bytes whose inner lengths do not fit it.")

    def _cut(self) -> None:
        """Shorten a PUBLISH that is too long and stands first, once enough of it has come."""
        data, pos, limit = self._data, self._pos, self._limit
        extent = _extent(data, pos)
        if extent is None or extent[1] - extent[0] <= limit or len(data) - extent[0] < limit:
            return
        body, end = extent
        if data[pos] & 0xF0 == _PUBLISH:
            length = bytes((limit & 127 | _MORE, limit >> 7 & 127 | _MORE, limit >> 14 & 127 | _MORE, limit >> 21))
            self._skip = max(end - len(data), 0)
            self._data = data[pos : pos + 1] + length + data[body : body + limit] + data[end:]
            self._pos = 0

    def _long(self, pos: int) -> tuple[int, int, int]:
        absent = 0, len(self._data) + 1, 0
        extent = _extent(self._data, pos)
        if extent is None or not _TWO_LENGTH_BYTES <= extent[1] - extent[0] <= self._limit:
            return absent
        if len(self._data) < extent[0] + 2:
            return absent
        return extent[0] + 2, extent[1], _UINT16(self._data, extent[0])[0]

    def _topic(self, raw: bytes) -> str:
        try:
            topic = raw.decode()
        except UnicodeDecodeError:
            return INVALID_TOPIC + raw.decode(errors="backslashreplace")
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
    for at in range(pos + 1, min(pos + 1 + _LENGTH_BYTES, len(data))):
        length |= (data[at] & 127) << shift
        shift += 7
        if data[at] < _MORE:
            return at + 1, at + 1 + length
    return None


def _properties(data: bytes, at: int, end: int) -> tuple[int, str | None]:
    """Find the payload and a W3C trace context in an MQTT 5 PUBLISH (section 3.3.2.3); a malformed one starts at 0."""
    traceparent = None
    try:
        at, stop = _varint(data, at)
        stop += at
        if stop > end:
            return 0, None
        while at < stop:
            kind = _PROPERTIES[data[at]]
            begin = at + 1
            at = _after(data, begin, kind)
            if kind == _PAIR and data[begin : begin + 13] == b"\x00\x0btraceparent":
                traceparent = _trace(data[begin + 15 : at])
    except (KeyError, IndexError, struct.error):
        return 0, None
    return (at, traceparent) if at == stop else (0, None)


def _after(data: bytes, at: int, kind: int) -> int:
    if kind > 0:
        return at + kind
    if kind == _VARINT:
        return _varint(data, at)[0]
    after = at + 2 + int(_UINT16(data, at)[0])
    return after if kind == _TEXT else _after(data, after, _TEXT)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _LENGTH_BYTES, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < _MORE:
            return at, value
    raise IndexError


def _trace(value: bytes) -> str | None:
    return value.decode() if TRACEPARENT.fullmatch(value) else None

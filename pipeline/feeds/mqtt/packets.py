"""The bytes of one MQTT connection, cut into messages and other packets.

This is the first loop of the hot path: it runs once for each message, on whole reads of up to 256 KiB, and makes
`Message`s and the joined acknowledgement of a batch without a function call of Python's for each.
"""

from __future__ import annotations

import struct
import sys
from typing import Final

from pipeline.core.errors import HeadraceError
from pipeline.core.message import Message
from pipeline.feeds.mqtt.packet import LENGTH_BYTES, MORE, PUBLISH, QOS, UINT16, Packet, decoded, properties

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

"""One MQTT connection from its socket to its end: reading, the window, the keepalive, and its one lane."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from pipeline.core.budgets import Slice
from pipeline.core.clock import CLOCK
from pipeline.core.delivery import Batch, Lane, Ledger, Message, Stage
from pipeline.core.logs import Log
from pipeline.feeds.mqtt.causes import After, ConnectionFailedError
from pipeline.feeds.mqtt.client import READ_SIZE, BrokerAnswer, BrokerSocket, PahoClient, pending, read_size, refuses_us
from pipeline.feeds.mqtt.options import FeedEvents, MqttOptions, Trouble
from pipeline.feeds.mqtt.packets import Frames, ProtocolError
from pipeline.feeds.mqtt.writer import Writer

T = TypeVar("T")
_LOG = Log(__name__)
_TAKEN_OVER = 142  # section 3.14.2.1
_RIGHT_AFTER = 1.0  # seconds
FIRST_FAILURE = 128  # MQTT 5 section 2.4: reason codes from here on are failures

# In keepalives: a PINGREQ goes out early enough to be answered before the peer counts as dead, and that is noticed
# within the 1.5 that MQTT 3.1.1 section 3.1.2.10 gives the other side.
_PING_AFTER = 0.7
_DEAD_AFTER = 1.35
_LOOK_EVERY = 0.05
_EMPTY_READS = 4  # in a row, before the loop has its turn


class Connection:
    """Lives on the event loop's thread, and ends once.

    Messages go to `out` in batches of at most what the lane has room for. What was read beyond that waits unparsed, and
    nothing more is read until the lane resumes: the bytes then wait in the broker, whose connection is kept.

    Attributes:
        lenient: A packet that cannot be understood is logged and skipped, instead of ending the connection.
    """

    def __init__(
        self,
        options: MqttOptions,
        ledger: Ledger,
        events: FeedEvents,
        failpoint: Callable[[str], None],
        out: Stage[Message],
        *,
        lenient: bool = False,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.client = PahoClient(options, self)
        self.connack: asyncio.Future[BrokerAnswer] = self._loop.create_future()
        self.ended: asyncio.Future[ConnectionFailedError] = self._loop.create_future()
        self._options, self._ledger, self._events, self._failpoint, self._out = options, ledger, events, failpoint, out
        self._frames = Frames(version5=self.client.version5, max_payload=options.max_payload)
        self._answers: dict[int, asyncio.Future[Sequence[int]]] = {}
        self._lane: Lane[bytes] | None = None
        self._lenient = lenient
        self._asked: Sequence[tuple[str, int]] = ()
        self._paused = self._stopped = self._watching = self._unwelcome = False
        self._arrival = 0
        self._slice = Slice()
        self._heard = self._pinged = monotonic()

    def start(self, connection: BrokerSocket) -> None:
        """Take over a connected socket, and send the CONNECT that waits in the client."""
        self._socket, self._descriptor, self._chunk = connection, connection.fileno(), read_size(connection)
        self._writer = Writer(connection, self.client.outbox, self._failpoint, self._write_failed)
        self.client.queued = self._writer.soon
        self._writer.soon()
        self._heard = self._pinged = monotonic()
        self._ticker: asyncio.Handle = self._loop.call_soon(self._tick)
        self._watch()

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> Sequence[int]:
        """Ask for filters in one packet; the answer is one code each (MQTT 5 section 3.9.3).

        Raises:
            ConnectionFailedError: the connection ended first, or no answer came within `connect_timeout` seconds.
        """
        self._asked = filters
        return await self._answer(self.client.ask(filters), "SUBSCRIBE")

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Give up filters that an earlier life of this session subscribed; raises as `subscribe` does."""
        await self._answer(self.client.renounce(filters), "UNSUBSCRIBE")

    async def before_end(self, future: asyncio.Future[T], what: str) -> T:
        """Wait for an answer of the broker; raises as `subscribe` does."""
        paused = True
        while paused and not future.done() and not self.ended.done():
            # The answer may stand behind messages that a full window holds back: that time is not the broker's.
            paused = self._paused
            await asyncio.wait(
                (future, self.ended), timeout=self._options.connect_timeout, return_when=asyncio.FIRST_COMPLETED
            )
            paused = paused or self._paused
        if future.done():
            return future.result()
        if not self.ended.done():
            self.end(Trouble.SILENT, f"{self._options.broker} did not answer {what}.")
        raise self.ended.result()

    def stop_reading(self) -> None:
        """Take no more messages; acknowledgements and PINGREQ still go out."""
        self._stopped = True
        self._unwatch()

    async def disconnect(self) -> None:
        """Write what was acknowledged, then DISCONNECT, and wait until the broker closes: the caller limits it."""
        self.stop_reading()
        await self._writer.flushed()
        if not self.ended.done():
            self._close_lane()
            self.client.disconnect()
            await self._writer.flushed()
        if not self.ended.done():
            # Closing with bytes unread would send a TCP reset, which may overtake the acknowledgements.
            self._loop.add_reader(self._descriptor, self._discard)
            self._watching = True
            await asyncio.wait([self.ended])

    def end(
        self, trouble: Trouble, sentence: str, *, fatal: bool = False, after: After | None = None, filters: int = 0
    ) -> None:
        """Close lane and socket, once: what settles from now on is stale."""
        if self.ended.done():
            return
        self._finish()
        problem = ConnectionFailedError(trouble, sentence, fatal=fatal, after=after, filters=filters)
        self.ended.set_result(problem)

    # What the broker answers: mqtt_client.Answers

    def on_connack(self, answer: BrokerAnswer) -> None:
        """Open the lane before the first message, which may stand right behind CONNACK."""
        if answer.code < FIRST_FAILURE and self._lane is None:
            window = self._options.max_in_flight
            self._lane = Lane(self._writer.acknowledge, window, self._pause, self._resume, self._ledger)
        if not self.connack.done():
            self.connack.set_result(answer)

    def on_suback(self, packet_id: int, codes: Sequence[int]) -> None:
        """Give SUBACK's codes to the waiting subscriber."""
        self._asked = ()
        waiting = self._answers.pop(packet_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(codes)

    def on_unsuback(self, packet_id: int) -> None:
        """Wake the task that waits for UNSUBACK."""
        self.on_suback(packet_id, ())

    def on_disconnect(self, answer: BrokerAnswer) -> None:
        """End with the broker's reason (MQTT 5 section 3.14.2.1)."""
        said = f": {answer.reason}"
        if answer.code == _TAKEN_OVER:
            said += f" by another client with the client id {self._options.client_id}; give each its own"
        self._closed("ended the connection", said, told=True)

    # Reading

    def _readable(self) -> None:
        data, gone = self._read()
        if data:
            self._heard = monotonic()
            self._arrival = CLOCK.now()
            self._frames.feed(data)
            self._take()
        if gone:
            self._gone(gone)
        elif self._watching and pending(self._socket):
            self._loop.call_soon(self._again)

    def _again(self) -> None:
        if self._watching:
            self._readable()

    def _read(self) -> tuple[bytes, str]:
        parts: list[bytes] = []
        left, gone = READ_SIZE, ""
        while left > 0:
            try:
                part = self._socket.recv(self._chunk)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if pending(self._socket):
                    left -= READ_SIZE // _EMPTY_READS
                    continue  # a websocket frame's head, or control frames, were all of it
                break
            except OSError as error:
                gone = f" ({error})"
                self._unwelcome = refuses_us(error)
                break
            if not part:
                gone = " without a reason; the broker's log may give one"
                break
            parts.append(part)
            left -= len(part)
            if len(part) < self._chunk and not pending(self._socket):
                break  # it gave all it had: asking again would cost a call for nothing
        return parts[0] if len(parts) == 1 else b"".join(parts), gone

    def _gone(self, how: str) -> None:
        # With TLS 1.3 the broker judges our certificate after the handshake, so its refusal comes instead of CONNACK.
        if self._unwelcome and self._lane is None:
            sentence = f"{self._options.broker} does not take our certificate{how}. Check `cert_file` and `key_file`."
            self.end(Trouble.UNTRUSTED, sentence, fatal=True)
        else:
            self._closed("closed the connection", how)

    def _closed(self, what: str, how: str, *, told: bool = False) -> None:
        """End because the broker did; what it still owed an answer may be why.

        Args:
            told: It has given a reason.
        """
        after, filters, behind, trouble = self._after(), len(self._asked), "", Trouble.CLOSED
        if after is After.CONNECT:
            behind, trouble = " right after CONNECT", Trouble.REFUSED
        elif after is After.SUBSCRIBE:
            behind = f" right after SUBSCRIBE of {filters} filters"
            if filters == 1:
                behind = f" right after SUBSCRIBE of the filter {self._asked[0][0]}"
            trouble = Trouble.UNSUBSCRIBED
        sentence = f"{self._options.broker} {what}{behind}{how}."
        self.end(trouble, sentence, after=None if told else after, filters=filters)

    def _after(self) -> After:
        if not self.connack.done():
            return After.CONNECT
        if self._asked:
            return After.SUBSCRIBE
        acknowledged_at = self._writer.first_acknowledged_at
        if acknowledged_at is not None and monotonic() - acknowledged_at < _RIGHT_AFTER:
            return After.PUBACK
        return After.NOTHING

    def _take(self) -> None:
        self._slice.begin()
        try:
            while not self.ended.done():
                messages, token = self._frames.messages(self._room(), self._arrival, self._slice.size)
                if messages and self._lane is not None:
                    self._deliver(self._lane, messages, token)
                    if self._slice.over():
                        self._yield()
                        break
                packet = self._frames.packet()
                if packet is not None:
                    self._answered(*packet)
                elif not messages:
                    break
            if self._lane is None and self._frames.waiting > READ_SIZE:
                self._dropped("The broker sent messages before its answer to CONNECT.")
        except ProtocolError as error:
            self._dropped(str(error))
        except Exception as bug:  # noqa: BLE001
            # Nothing downstream raises for data. The feed's owner must see it: the batch would never be settled.
            self._finish()
            self.ended.set_exception(bug)

    def _dropped(self, why: str) -> None:
        self.end(Trouble.PROTOCOL, f"{why} The connection to {self._options.broker} was dropped.")

    def _answered(self, command: int, body: bytes) -> None:
        try:
            self.client.handle(command, body)
        except ProtocolError as error:
            if not self._lenient:
                raise
            _LOG.warning("A packet that cannot be understood is skipped.", broker=self._options.broker, problem=error)

    def _room(self) -> int:
        return 0 if self._lane is None or self._paused or self._stopped else self._lane.room

    def _deliver(self, lane: Lane[bytes], messages: list[Message], token: bytes) -> None:
        delivery = lane.receive(len(messages), token, self._frames.taken)
        self._events.batch(len(messages))
        self._failpoint("after_read")
        self._out.put(Batch(delivery, messages))

    def _pause(self) -> None:
        self._paused = True
        self._unwatch()

    def _yield(self) -> None:
        """Let the loop do what else is due, then go on with what was read: meanwhile nothing more is."""
        if not self._paused:
            self._pause()
            self._loop.call_soon(self._continue)

    def _resume(self) -> None:
        # The lane resumes from within a seal, deep in another stage: the next batch must not start there.
        self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        if self._stopped or self.ended.done() or (self._lane is not None and self._lane.paused):
            return
        self._paused = False
        self._heard = monotonic()  # the PINGRESP of the pause may stand behind messages: the peer gets its full time
        self._take()
        if not self._paused and not self.ended.done():
            self._watch()
            if pending(self._socket):
                self._loop.call_soon(self._again)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.add_reader(self._descriptor, self._readable)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._descriptor)

    # The rest

    def _tick(self) -> None:
        keepalive, now = self.client.keepalive, monotonic()
        if not keepalive:
            return
        quiet = max(now - self._writer.written_at, now - self._heard)
        if self._lane is not None and min(quiet, now - self._pinged) >= _PING_AFTER * keepalive:
            self._pinged = now
            self.client.ping()
        if self._watching and now - self._heard >= _DEAD_AFTER * keepalive:
            self.end(Trouble.SILENT, f"Nothing came from {self._options.broker} for {now - self._heard:.0f} s.")
            return
        self._ticker = self._loop.call_later(_LOOK_EVERY * keepalive, self._tick)

    async def _answer(self, packet_id: int, what: str) -> Sequence[int]:
        answer: asyncio.Future[Sequence[int]] = self._loop.create_future()
        self._answers[packet_id] = answer
        return await self.before_end(answer, what)

    def _write_failed(self, error: OSError) -> None:
        _, gone = self._read()  # what the broker said last tells more than that it is gone
        if gone:
            self._gone(gone)
        self.end(Trouble.CLOSED, f"{self._options.broker} takes no more bytes: {error}.")

    def _discard(self) -> None:
        _, gone = self._read()
        if gone:
            self.end(Trouble.CLOSED, "The session was left in good order.")

    def _finish(self) -> None:
        self._unwatch()
        self._ticker.cancel()
        self._writer.close()
        self._close_lane()
        self._socket.close()

    def _close_lane(self) -> None:
        if self._lane is not None:
            self._lane.close()

"""The MQTT feed: keeps one session's connection alive and hands its messages on, a batch for each read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar

from paho.mqtt.client import WebsocketConnectionError

from pipeline.core.delivery import MAX_WEIGHT, Ledger, Message, Stage
from pipeline.core.errors import StartError
from pipeline.core.files import document, replace
from pipeline.core.logs import Log
from pipeline.core.threads import run_detached
from pipeline.feeds.mqtt.causes import ConnectionFailedError, RepeatedCause, fewer_filters, most_filters
from pipeline.feeds.mqtt.client import BrokerAnswer, BrokerSocket, UnreadableError, refuses_us
from pipeline.feeds.mqtt.connection import FIRST_FAILURE, Connection
from pipeline.feeds.mqtt.options import FeedEvents, MqttOptions, Trouble

_LOG = Log(__name__)


class RememberedSession:
    """The session of one client id on one broker, as its last life left it.

    The file is JSON: broker, client_id, filters (sorted). One that cannot be read is taken for none. Every method that
    touches it blocks: call it in a thread.
    """

    def __init__(self, options: MqttOptions) -> None:
        self._file: Path | None = options.state_file
        self._identity = {"broker": f"{options.host}:{options.port}", "client_id": options.client_id}
        self.filters: frozenset[str] = frozenset()
        self.known = False  # the broker had this session at some time

    def load(self) -> None:
        """Read the file, if there is one and it is about this session."""
        if self._file is None or not self._file.exists():
            return
        try:
            state = document(self._file)
            filters = frozenset(str(name) for name in state.pop("filters"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _LOG.warning(
                "A session's file cannot be read; filters that were removed stay subscribed.", **self._about(error)
            )
            return
        if state == self._identity:
            self.filters, self.known = filters, True

    def save(self, filters: Iterable[str]) -> None:
        """Remember the session's filters; a failure is logged, for it only costs an UNSUBSCRIBE."""
        self.filters = frozenset(filters)
        if self._file is None:
            return
        try:
            replace(self._file, json.dumps({**self._identity, "filters": sorted(self.filters)}))
        except OSError as error:
            _LOG.warning("A session's file cannot be written; filters removed later may stay.", **self._about(error))

    def _about(self, error: Exception) -> dict[str, object]:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        return {"file": self._file, "error": why, "client": self._identity["client_id"]}


T = TypeVar("T")
# MQTT 5 section 3.2.2.2: unspecified, implementation specific, unavailable, busy, quota, other server, moved, rate.
_PASSING_REFUSALS = frozenset({0x80, 0x83, 0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F})
_HEALTHY_SECONDS = 10.0  # a connection that lasted this long starts the back-off anew
_ASK_AGAIN_SECONDS = 60.0  # for filters that the broker refused after the first start
_LOOK_SECONDS = 0.05
_STUCK_SECONDS = 300.0  # between attempts on a broker whose bytes are no MQTT each time


def _nowhere(_: str) -> None:
    pass


class MqttFeed:
    """A `Feed[Message]`; QoS 1 at most, for paho and brokers settle QoS 2 before Kafka could confirm.

    Messages on topics that no filter of the config matches are delivered too: the session may hold older filters.
    """

    resends = True

    def __init__(
        self,
        name: str,
        options: MqttOptions,
        ledger: Ledger,
        events: FeedEvents,
        failpoint: Callable[[str], None] = _nowhere,
    ) -> None:
        self.name = name
        self._options, self._ledger, self._events, self._failpoint = options, ledger, events, failpoint
        self._session = RememberedSession(options)
        self._who = {"feed": name, "broker": options.broker, "client": options.client_id}
        self._filters = tuple((topic, min(qos, 1)) for topic, qos in options.subscriptions)
        self._connection: Connection | None = None
        self._row = RepeatedCause(options.client_id)
        self._most = options.max_filters or most_filters(options.host) or max(len(self._filters), 1)
        self._started = False  # once subscribed, nothing is fatal any more
        self._stopping = False
        self._stop = asyncio.Event()
        self.round_trip = 0.0  # seconds until the broker last answered for all filters
        self.problem = ""  # why it has no connection, a sentence; empty while it reads

    async def run(self, out: Stage[Message]) -> None:
        """Read until cancelled, or until stopped and disconnected; reconnect by itself.

        Raises:
            StartError: at the first start, the broker refuses the credentials or a filter, or a file cannot be read.
        """
        self._warn_of_qos2()
        await run_detached(self._session.load)
        attempt = 0
        while not self._stopping:
            began = monotonic()
            try:
                await self._settle_old_lanes()
                await self._live(out)
            except ConnectionFailedError as problem:
                if problem.fatal and not self._started:
                    self.problem = str(problem)
                    raise StartError(f"Feed {self.name}: {problem}") from problem
                self._row.add(problem, monotonic() - began)
                fewer = self._fewer(problem)
                if not self._stopping:
                    self.failed(problem, self._most if fewer else None)
            finally:
                self._drop()
            attempt = 0 if monotonic() - began >= _HEALTHY_SECONDS else attempt + 1
            await self._back_off(attempt)

    def stop_reading(self) -> None:
        """Take no more messages; acknowledgements still go out, and the connection is kept."""
        self._stopping = True
        self._stop.set()
        if self._connection is not None:
            self._connection.stop_reading()

    async def disconnect(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Send the acknowledgements that are due and a DISCONNECT; give up after `timeout` seconds."""
        self.stop_reading()
        connection = self._connection
        if connection is None or connection.ended.done():
            return
        try:
            await asyncio.wait_for(connection.disconnect(), timeout)
        except TimeoutError:
            _LOG.warning("The broker took no leave in time.", seconds=timeout, **self._who)
            connection.end(Trouble.SILENT, "Left without the broker's agreement.")

    async def _live(self, out: Stage[Message]) -> None:
        """One connection from its first to its last byte; always ends by raising."""
        _LOG.debug("The feed connects.", **self._who)
        connection = Connection(
            self._options, self._ledger, self._events, self._failpoint, out, lenient=self._row.lenient
        )
        opened = await self._open(connection)
        if self._stopping:
            opened.close()
            raise ConnectionFailedError(Trouble.CLOSED, "The feed was stopped.")
        connection.start(opened)
        self._connection = connection
        answer = await connection.before_end(connection.connack, "CONNECT")
        if answer.code >= FIRST_FAILURE:
            raise self._refused(answer)
        self._check_session(answer)
        refused = await self._subscribe(connection)
        self._started = True
        self.problem = ""
        _LOG.info("The feed reads.", **self._who)
        self._events.connected(True)  # noqa: FBT003
        while not connection.ended.done():
            await asyncio.wait([connection.ended], timeout=_ASK_AGAIN_SECONDS if refused else None)
            if refused and not connection.ended.done():
                refused = self.granted(refused, await self._ask(connection, refused))
        raise connection.ended.result()

    async def _open(self, connection: Connection) -> BrokerSocket:
        broker = self._options.broker
        try:
            return await run_detached(connection.client.open, late=_close)
        except UnreadableError as error:
            sentence = f"A password, key or certificate file cannot be read: {error}."
            raise ConnectionFailedError(Trouble.UNTRUSTED, sentence, fatal=True) from error
        except ssl.SSLCertVerificationError as error:
            sentence = f"{broker} shows a certificate that is not trusted: {error.verify_message}. Check `ca_file`."
            raise ConnectionFailedError(Trouble.UNTRUSTED, sentence, fatal=True) from error
        except ssl.SSLError as error:
            sentence = f"No TLS with {broker}: {error}. Check that this port speaks TLS and asks for our certificate."
            raise ConnectionFailedError(Trouble.UNTRUSTED, sentence, fatal=refuses_us(error)) from error
        except WebsocketConnectionError as error:
            sentence = f"{broker} accepts no websocket: {error}. Check that the listener and the path are for MQTT."
            raise ConnectionFailedError(Trouble.UNREACHABLE, sentence) from error
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            sentence = f"{broker} cannot be reached: {why}. Check the address, and that the broker runs."
            raise ConnectionFailedError(Trouble.UNREACHABLE, sentence) from error

    def _refused(self, answer: BrokerAnswer) -> ConnectionFailedError:
        options = self._options
        who = f"client id {options.client_id}" + (f" and user {options.username}" if options.username else "")
        sentence = f"{options.broker} refused {who}: {answer.reason}. Check user, password, client id and version."
        return ConnectionFailedError(Trouble.REFUSED, sentence, fatal=answer.code not in _PASSING_REFUSALS)

    def _check_session(self, answer: BrokerAnswer) -> None:
        if answer.session_present:
            return
        if self._session.known:
            self._session.known = False
            self._events.session_lost()
            _LOG.warning("The broker has forgotten the session; what it had not delivered is lost.", **self._who)
        self._session.filters = frozenset()

    async def _subscribe(self, connection: Connection) -> Sequence[tuple[str, int]]:
        """Make the session's filters those of the config; what was refused comes back."""
        session, wanted = self._session, frozenset(topic for topic, _ in self._filters)
        gone = session.filters - wanted
        # Written before it is true, so that a crash in between forgets no filter.
        await run_detached(lambda: session.save(session.filters | wanted))
        began = monotonic()
        codes = await self._ask(connection, self._filters)
        self.round_trip = monotonic() - began
        refused = self.granted(self._filters, codes)
        session.known = True
        for part in _parts(sorted(gone), self._most):
            await connection.unsubscribe(part)
        if gone:
            await run_detached(lambda: session.save(wanted))
            _LOG.info(
                "The feed gave up filters that the configuration no longer has.", filters=sorted(gone), **self._who
            )
        return refused

    async def _ask(self, connection: Connection, filters: Sequence[tuple[str, int]]) -> Sequence[int]:
        """Subscribe, with as many filters in one packet as the broker takes; the answer is one code each."""
        codes: list[int] = []
        for part in _parts(filters, self._most):
            answer = await connection.subscribe(part)
            if len(answer) != len(part):
                sentence = f"{self._options.broker} answered {len(answer)} codes for {len(part)} filters."
                raise ConnectionFailedError(Trouble.PROTOCOL, sentence)
            codes += answer
        return codes

    def _fewer(self, problem: ConnectionFailedError) -> bool:
        """Ask for fewer filters at once from now on, if that many seem to be why the broker closed the connection."""
        if self._options.max_filters is not None or problem.filters <= 1:
            return False
        self._most = fewer_filters(problem.filters)
        return True

    def granted(self, filters: Sequence[tuple[str, int]], codes: Sequence[int]) -> Sequence[tuple[str, int]]:
        """Judge the broker's answers, and return the filters to ask for again; a trial has its own way."""
        pairs = list(zip(filters, codes, strict=True))
        for (topic, qos), code in pairs:
            if code < qos:
                _LOG.warning(
                    "A filter is granted at a lower QoS; messages can be lost.", filter=topic, qos=code, **self._who
                )
        refused = [wanted for wanted, code in pairs if code >= FIRST_FAILURE]
        if refused:
            names = ", ".join(topic for topic, _ in refused)
            sentence = f"{self._options.broker} refused to subscribe {names}. Check the broker's access rules."
            if not self._started:
                raise ConnectionFailedError(Trouble.UNSUBSCRIBED, sentence, fatal=True)
            _LOG.error("The broker refused filters; they are asked for again.", problem=sentence, **self._who)
        return refused

    async def _settle_old_lanes(self) -> None:
        """Wait while much of lost connections is under way, or each reconnection would add a window to memory."""
        most = self._options.max_in_flight // 2

        def much() -> bool:
            return self._ledger.in_flight() > most or self._ledger.weight() > MAX_WEIGHT // 2

        if much():
            waiting = self._ledger.in_flight()
            _LOG.info("The feed connects again once most of its messages have a fate.", messages=waiting, **self._who)
        while not self._stopping and much():
            await self._rest(_LOOK_SECONDS)

    async def _back_off(self, attempt: int) -> None:
        shortest, longest = self._options.backoff
        ceiling = min(longest, shortest * 1.5 ** min(attempt, 64))
        # Spread, so that a thousand gateways do not come back to a broker in the same second.
        delay = _STUCK_SECONDS if self._row.stuck else random.uniform(shortest, max(shortest, ceiling))  # noqa: S311
        _LOG.debug("The feed waits before it connects again.", seconds=round(delay, 3), attempt=attempt, **self._who)
        await self._rest(delay)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def failed(self, problem: ConnectionFailedError, fewer: int | None) -> None:
        """Say that a connection ended; a trial has its own way.

        Args:
            problem: Why it ended.
            fewer: How many filters at once are asked for from now on, if that is why.
        """
        self._events.reconnecting(problem.trouble)
        said = f"{problem}{self._row.said}"
        if fewer is not None:
            said = f"{problem} From now on it is asked for {fewer} at once (`max_filters_per_subscribe`)."
        if said != self.problem:
            self.problem = said
            _LOG.warning("The feed has no connection; it is tried again.", problem=said, **self._who)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._events.connected(False)  # noqa: FBT003
            connection.end(Trouble.CLOSED, "The feed was stopped.")

    def _warn_of_qos2(self) -> None:
        lowered = [topic for topic, qos in self._options.subscriptions if qos > 1]
        if lowered:
            _LOG.warning("QoS 2 is lowered to 1.", filters=lowered, **self._who)


def _parts(all_of_them: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(all_of_them), most):
        yield all_of_them[at : at + most]


def _close(connection: BrokerSocket) -> None:
    connection.close()

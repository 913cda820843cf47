"""One trial of a feed's broker: connect, subscribe, and say what was refused instead of trying again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pipeline.config.findings import Finding
from pipeline.core.delivery import Ledger
from pipeline.core.errors import StartError
from pipeline.feeds.mqtt.causes import ConnectionFailedError
from pipeline.feeds.mqtt.connection import FIRST_FAILURE
from pipeline.feeds.mqtt.feed import MqttFeed
from pipeline.feeds.mqtt.options import MqttOptions, Trouble


class Trial(MqttFeed):
    """The feed itself, but the first problem ends it: `run` raises StartError with the sentence.

    subscribed: set once the broker has answered for every filter. findings: what it answered.
    """

    def __init__(self, name: str, options: MqttOptions, ledger: Ledger) -> None:
        self.subscribed = asyncio.Event()
        self.findings: list[Finding] = []
        super().__init__(name, options, ledger, _Events(self.subscribed))

    def _report(self, problem: ConnectionFailedError, *, fewer: bool = False) -> None:
        if fewer:
            fix = f"Write `max_filters_per_subscribe: {self._most}`, so that a start need not find out."
            said = f"{problem} {self._most} at once are tried instead."
            self.findings.append(Finding(("feeds", self.name, "subscribe"), said, fix, severity="warning"))
        elif not self._stopping:
            raise StartError(f"Feed {self.name}: {problem}")

    def _judge(self, filters: Sequence[tuple[str, int]], codes: Sequence[int]) -> Sequence[tuple[str, int]]:
        for index, ((topic, qos), code) in enumerate(zip(filters, codes, strict=False)):
            place = ("feeds", self.name, "subscribe", index)
            if code >= FIRST_FAILURE:
                said = f"the broker refuses `{topic}` (SUBACK code {code})."
                self.findings.append(Finding(place, said, "Let this user read it in the broker's access rules."))
            elif code < qos:
                said = f"the broker grants `{topic}` at QoS {code} only; messages can be lost."
                fix = "Raise the broker's highest QoS, or write `qos: 0` to say that this is meant."
                self.findings.append(Finding(place, said, fix, severity="warning"))
        return ()


class _Events:
    """FeedEvents, of which a trial wants one."""

    def __init__(self, subscribed: asyncio.Event) -> None:
        self._subscribed = subscribed

    def connected(self, up: bool) -> None:  # noqa: FBT001 - the event's shape
        if up:
            self._subscribed.set()

    def reconnecting(self, trouble: Trouble) -> None:
        pass

    def session_lost(self) -> None:
        pass

    def batch(self, size: int) -> None:
        pass

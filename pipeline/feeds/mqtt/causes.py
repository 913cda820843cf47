"""What one ended connection after another has in common: a cause that returns needs a person, or another way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pipeline.core.errors import HeadraceError
from pipeline.feeds.mqtt.options import Trouble

OFTEN = 3
AWS_FILTERS: Final = 8
"""Filters that one SUBSCRIBE may hold on AWS IoT Core, which closes the connection on more."""
_AWS_HOST = re.compile(r"[a-z0-9-]+\.iot\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", re.IGNORECASE)
_A_ROW_SECONDS = 600.0  # a connection that lasted longer ends the row


class After(Enum):
    """What the broker had just got from us when it closed the connection."""

    CONNECT = "CONNECT"
    SUBSCRIBE = "SUBSCRIBE"
    PUBACK = "PUBACK"
    NOTHING = ""  # the connection had been read for a while


_MEANT: Final = {
    After.CONNECT: "It may not let the client id {client_id} in (on AWS IoT Core a policy decides), or want another "
    "`version` of MQTT.",
    After.SUBSCRIBE: "Its access rules may not let this user read what was asked for (on AWS IoT Core a policy "
    "decides), or it takes fewer filters at once (`max_filters_per_subscribe`).",
    After.PUBACK: "Each time we had just sent our first PUBACK: it may not take acknowledgements; its log may say why.",
    After.NOTHING: "Another client may use the client id {client_id}, and each ends the other's session: give each one "
    "of its own.",
}


class ConnectionFailedError(HeadraceError):
    """A connection did not come about, or ended; `fatal` where only a person can mend the reason.

    Args:
        after: Behind which packet of ours the broker closed it, None where it did not, or said why.
        filters: How many the SUBSCRIBE had behind which it did.
    """

    def __init__(
        self, trouble: Trouble, sentence: str, *, fatal: bool = False, after: After | None = None, filters: int = 0
    ) -> None:
        super().__init__(sentence)
        self.trouble = trouble
        self.fatal = fatal
        self.after = after
        self.filters = filters


@dataclass(slots=True)
class RepeatedCause:
    """The last problem, and how many times in a row it came."""

    client_id: str
    problem: str = ""
    after: After | None = None
    trouble: Trouble | None = None
    times: int = 0

    def add(self, problem: ConnectionFailedError, lasted: float) -> None:
        """Count one more end of a connection that has lasted so many seconds."""
        same = (str(problem), problem.after) == (self.problem, self.after) and lasted < _A_ROW_SECONDS
        self.times = self.times + 1 if same else 1
        self.problem, self.trouble, self.after = str(problem), problem.trouble, problem.after

    @property
    def said(self) -> str:
        """How often it came and what that may mean, once it means something."""
        if self.stuck:
            return f" This came more than {OFTEN} times in a row, so that the next attempt waits for some minutes."
        often = f" This came {OFTEN} times in a row."
        if self.times >= OFTEN and self.after is not None:
            return f"{often} {_MEANT[self.after].format(client_id=self.client_id)}"
        return often if self.lenient else ""

    @property
    def lenient(self) -> bool:
        """Whether the next connection should read past a packet that it does not understand, and go on."""
        return self.trouble is Trouble.PROTOCOL and self.times >= OFTEN

    @property
    def stuck(self) -> bool:
        """Whether that did not help either: the bytes do not even say where the next packet begins."""
        return self.trouble is Trouble.PROTOCOL and self.times > OFTEN


def most_filters(host: str) -> int | None:
    """Return how many filters a broker takes in one SUBSCRIBE, where its name says so."""
    return AWS_FILTERS if _AWS_HOST.fullmatch(host) else None


def fewer_filters(filters: int) -> int:
    """Return how many to ask for at once, of a broker that closed the connection on so many."""
    return AWS_FILTERS if filters > AWS_FILTERS else max(filters // 2, 1)

"""A connector on a bench: the plans that a worker would compile, for a feed that does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.build.connectors import Compiler
from pipeline.config.root import Config
from pipeline.config.used import UsedConnector
from pipeline.core.errors import ConfigError
from pipeline.core.field_path import Fields
from pipeline.core.message import Message
from pipeline.models import MODELS
from pipeline.normalise.vendor import Fan, Outcome
from pipeline.plugins.registry import Found, Registry
from pipeline.sdk.connector import Uplink

ARRIVAL = 1_795_000_000_000
"""When every payload on the bench arrives: November 2026."""
_PLACE = [4.8952, 52.3702]
_FEED: Mapping[str, Any] = {
    "kind": "mqtt",
    "url": "mqtt://127.0.0.1",
    "client_id": "bench",
    "subscribe": ["#"],
    "routes": [{"topic": "#", "ignore": True}],
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. where: `file:line`; check: which proof failed; message: expected and got."""

    where: str
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}  {self.check}: {self.message}"


class Bench:
    """One connector; each `fan` knows no device yet. kept: one for payloads that are only tried."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.connector = found.connector
        used: dict[str, Any] = {"use": found.names[0], "device": {"topic": "device"}, "max_age": "36500d"}
        if self.connector.place is None:
            used["location"] = _PLACE
        if not all(each.period for each in self.connector.observed()):
            used["period"] = "10min"
        whole = {
            "tenant": "bench",
            "kafka": {"bootstrap_servers": ["127.0.0.1:9092"]},
            "feeds": {"bench": _FEED},
            "connectors": {"bench": used},
        }
        self._config = Config.model_validate(whole, context={"registry": Registry([found])})

        self.kept = self.fan()

    @property
    def models(self) -> list[str]:
        """The models of the observations, and the Device's if there is one."""
        return [name for name in self._config.connectors["bench"].models if name in MODELS]

    def fan(self) -> Fan:
        """Return the connector with its plans, new."""
        used = self._config.connectors["bench"]
        if not isinstance(used, UsedConnector):
            raise ConfigError("The bench holds vendors' connectors only.")
        return Compiler(self._config, "bench").fan(used)


def uplink(payload: bytes, port: int | None) -> Uplink:
    """Return a payload as it comes to the connector."""
    return Uplink(payload, port, received_at=ARRIVAL)


def outcome(fan: Fan, reading: Fields, payload: bytes) -> Outcome:
    """Return what becomes of one reading of a payload."""
    return fan.records([reading], Message("bench/device", payload, ARRIVAL), lambda _topic, _fields: "device")

"""Which filters a broker's session holds: MQTT cannot list them, so a small file remembers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.files import document, replace
from pipeline.core.logs import Log
from pipeline.feeds.mqtt.options import MqttOptions

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

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.network_servers.tektelic import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.messages import ARRIVAL, changed, uplink
from tests.connectors.network_servers.samples import sample


def test_the_published_sample_is_the_envelope_alone(shared_data: Path) -> None:
    """Its note says so: a message is {data, errors, warnings, tektelicMetadata}."""
    topic, payload = sample(shared_data, "tektelic/tektelicMetadata")
    with pytest.raises(PayloadError, match="Expected tektelicMetadata beside data") as refused:
        dialect.reader(topic)(payload, ARRIVAL)
    assert refused.value.reason is Reason.PAYLOAD_ERROR


def test_the_published_sample_in_a_message(shared_data: Path) -> None:
    topic, payload = sample(shared_data, "tektelic/tektelicMetadata")
    message = {"data": {"temperature": 21.5}, "errors": [], "warnings": [], "tektelicMetadata": orjson.loads(payload)}
    read = uplink(dialect, topic, message)
    assert (read.device, read.port, read.f_cnt, read.dev_addr) == ("647fda0300004aab", 10, 142, "076d51cf")
    assert (read.fields, read.payload, read.time) == ({"temperature": 21.5}, b"", 1345291148000)
    [heard] = read.receptions()
    assert (heard.gateway, heard.rssi, heard.snr, heard.location) == ("647fdafffe00cccb", -100, 9.5, None)
    assert (read.names().model, read.names().application) == ("Tektelic Home Sensor", "Application Name")


@pytest.mark.parametrize(
    "values",
    [
        {"bytes": "AjAAQKA=", "data": {}},
        {"bytes": ..., "data": "AjAAQKA="},
        {"bytes": [2, 48, 0, 64, 160], "data": None},
    ],
)
def test_a_converter_may_pass_the_bytes_on(values: dict[str, Any]) -> None:
    read = uplink(dialect, *changed("tektelic", **values))
    assert (read.payload.hex(), read.fields) == ("02300040a0", None)


def test_a_converter_that_failed_made_nothing_of_it() -> None:
    topic, message = changed("tektelic", bytes=..., data={}, errors=["unknown port", 7])
    with pytest.raises(PayloadError, match=r"got neither; errors: unknown port$"):
        uplink(dialect, topic, message)


@pytest.mark.parametrize("value", [[256], [-1], ["a"], [[]], 7, {}, "ab"])
def test_bytes_that_are_none_are_refused(value: object) -> None:
    topic, message = changed("tektelic", bytes=value)
    with pytest.raises(PayloadError, match=r"in bytes|as bytes"):
        uplink(dialect, topic, message)

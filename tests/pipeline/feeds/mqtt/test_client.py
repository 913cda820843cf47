"""paho's private parts are what they were when client.py was written; a new paho that changes one fails here."""

import hashlib
import inspect

import paho.mqtt.client as paho
import pytest

from pipeline.feeds.mqtt.client import PAHO_PRIVATE, PahoClient
from pipeline.feeds.mqtt.options import MqttOptions, Version
from pipeline.feeds.mqtt.packets import ProtocolError

# Read the changed function, and how feeds/mqtt/client.py uses it, before writing its new digest here.
AS_READ = {
    "Client._create_socket": "3043436f2eb23690",
    "Client._handle_connack": "39267140212c8b5f",
    "Client._handle_disconnect": "609b75a1d71460a7",
    "Client._handle_pubrel": "62a366a76a29d6c7",
    "Client._handle_suback": "e0af796b6ca01ee8",
    "Client._handle_unsuback": "bfc8145b07a62502",
    "Client._packet_handle": "ac4c129ed409db42",
    "Client._packet_queue": "e298fa9ab31e5f79",
    "Client._packet_read": "bbe32d8af1e37955",
    "Client._send_connect": "64e5d20b72bd6aa8",
    "Client._send_pingreq": "0d2669562d6f3115",
    "Client._send_pubcomp": "69b29839369fdc7e",
    "Client._sock_close": "638e9c4e5a7f32ae",
    "Client.reconnect": "3ecdf1a8299e8c8a",
    "_WebsocketWrapper": "6618e63d4e4e6259",
}


class Silence:
    def on_connack(self, answer: object) -> None: ...
    def on_suback(self, packet_id: int, codes: object) -> None: ...
    def on_unsuback(self, packet_id: int) -> None: ...
    def on_disconnect(self, answer: object) -> None: ...


def digest(name: str) -> str:
    found: object = paho
    for part in name.split("."):
        found = getattr(found, part)
    return hashlib.sha256(inspect.getsource(found).encode()).hexdigest()[:16]  # type: ignore[arg-type]


def test_pahos_private_parts_are_as_they_were_read() -> None:
    assert {name: digest(name) for name in PAHO_PRIVATE} == AS_READ


def test_the_packet_that_paho_reads_has_the_fields_that_we_fill() -> None:
    client = PahoClient(MqttOptions(host="h", client_id="c", subscriptions=()), Silence())
    fields = set(client._in_packet)
    client.handle(0xD0, b"")
    assert set(client._in_packet) == fields


@pytest.mark.parametrize("packet", [(0x90, b""), (0x20, b"\x00"), (0xD0, b"x"), (0xF0, b""), (0xE0, b"\x00\xff\xff")])
def test_a_malformed_packet_is_a_protocol_error_whatever_paho_raises(packet: tuple[int, bytes]) -> None:
    versions: tuple[Version, ...] = ("3.1.1", "5")
    for version in versions:
        client = PahoClient(
            MqttOptions(host="h", client_id="c", subscriptions=(), version=version),
            Silence(),
        )
        with pytest.raises(ProtocolError):
            client.handle(*packet)

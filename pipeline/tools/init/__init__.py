"""`headrace init`: a commented configuration to begin with; each file here is one, and passes `check` as it is."""

from __future__ import annotations

from importlib.resources import files

KINDS = {
    "mqtt": "one MQTT broker and one Kafka, without TLS: for a first look",
    "tls": "MQTT over TLS with a user, Kafka over TLS",
    "lorawan": "a LoRaWAN network server on MQTT, with hints for a device registry and for gateways",
    "kafka-sasl": "MQTT over TLS, Kafka over TLS with SASL SCRAM",
}
"""What can be made, and what for."""


def template(kind: str) -> str:
    """Return the text of one of KINDS."""
    return files(__name__).joinpath(f"{kind}.yaml").read_text(encoding="utf-8")

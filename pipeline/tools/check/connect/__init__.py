"""`headrace check --connect`: tries brokers, Kafka and topics, and says what would become of messages."""

from pipeline.tools.check.connect.trial import check

__all__ = ["check"]

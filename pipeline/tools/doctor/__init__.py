"""`headrace doctor`: connects, measures, and says what is wrong, how bad it is, and which line to change.

examination.py  asks everything, and puts the judgements in order
finding.py      one judgement
worker.py       a running worker, by its /metrics
window.py       the in-flight window against the wanted throughput
broker.py       the MQTT broker, by `$SYS`
topics.py       Kafka: copies, sizes, times, retention, rights
clock.py        this machine's clock against Kafka's
certificates.py TLS: until when
machine.py      open files, clock, state folder, disk
registry.py     holes of the device registry, levels of connectors
text.py         the report for a person
"""

from pipeline.tools.doctor.examination import examine
from pipeline.tools.doctor.finding import SEVERITIES, Judgement, text, worst

__all__ = ["SEVERITIES", "Judgement", "examine", "text", "worst"]

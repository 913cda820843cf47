"""`headrace doctor`: connects, measures, and says what is wrong, how bad it is, and which line to change.

examination.py  asks everything, and puts the judgements in order
finding.py      one judgement, and the report of all
worker.py       a running worker, by its /metrics
mqtt.py         the MQTT broker by `$SYS`, and the in-flight window against the wanted throughput
kafka.py        Kafka: copies, sizes, retention, rights, and its clock against this machine's
certificates.py TLS: until when
machine.py      open files, clock, state folder, disk
devices.py      holes of the device registry, levels of connectors
"""

from pipeline.tools.doctor.examination import examine
from pipeline.tools.doctor.finding import SEVERITIES, Judgement, text, worst

__all__ = ["SEVERITIES", "Judgement", "examine", "text", "worst"]

"""Mosquitto and Kafka on their usual ports, for a developer who wants to see messages go by (`make services`)."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto
from tests.support.ports import LOOPBACK, is_open
from tests.support.process import Process
from tests.support.toolchain import MissingToolError, Tool, find, kafka_command

MQTT_PORT = 1883
KAFKA_PORT = 9092
TOPIC = "bench.AirQualityObserved.v1"
MESSAGE = (
    '{"device":"aq-0001","ts":1769000000000,"temperature":21.5,"humidity":45.2,'
    '"pm10":12.1,"pm25":7.4,"no2":31.5,"battery":3.61,"lat":52.37,"lon":4.89}'
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.support.services", description=f"{__doc__}")
    parser.epilog = (
        f"Ports: {MQTT_PORT} and {KAFKA_PORT} on {LOOPBACK}. It prints a line to publish and one to consume."
    )
    parser.parse_args(arguments)
    for port in (MQTT_PORT, KAFKA_PORT):
        if is_open(port):
            print(f"port {port} is taken: end what listens there first", file=sys.stderr)
            return 1
    # Blocked before the brokers start, so that a signal in between still ends them in order.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    with tempfile.TemporaryDirectory(prefix="headrace-services-") as folder:
        try:
            _run(Path(folder))
        except MissingToolError as problem:
            print(problem, file=sys.stderr)
            return 1
    return 0


def _run(folder: Path) -> None:
    mosquitto = Mosquitto(folder / "mosquitto", port=MQTT_PORT)
    kafka = Kafka(folder / "kafka", port=KAFKA_PORT)
    with mosquitto, kafka:
        print(
            f"Mosquitto {mosquitto.url}, Kafka {kafka.bootstrap()}; data in {folder}, gone at the end. Ctrl-C ends.\n"
        )
        print(f"publish:\n  {_publish()}\n\nconsume (once a worker has created the topic):\n  {_consume()}", flush=True)
        _wait_for_the_end([mosquitto.process, kafka.process])


def _wait_for_the_end(processes: list[Process]) -> None:
    while signal.sigtimedwait({signal.SIGINT, signal.SIGTERM}, 1.0) is None:
        for process in processes:
            if not process.running:
                raise SystemExit(f"{process.command[0]} ended by itself:\n{process.tail()}")


def _publish() -> str:
    return f"{_typed(find('mosquitto_pub'))} -h {LOOPBACK} -p {MQTT_PORT} -q 1 -t city/aq/0001 -m '{MESSAGE}'"


def _consume() -> str:
    command = kafka_command("org.apache.kafka.tools.consumer.ConsoleConsumer", heap_mib=128)
    java = " ".join(f"'{part}'" if "*" in part else part for part in command)
    return f"{java} --bootstrap-server {LOOPBACK}:{KAFKA_PORT} --topic {TOPIC} --from-beginning"


def _typed(tool: Tool) -> str:
    return " ".join([*(f"{name}={value}" for name, value in tool.env.items()), str(tool.path)])


if __name__ == "__main__":
    sys.exit(main())

"""Mosquitto and Kafka on their usual ports, for a developer who wants to see messages go by (`make services`)."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto
from tests.support.ports import LOOPBACK, is_open
from tests.support.process import Process
from tests.support.toolchain import MissingToolError, Tool, find, kafka_command

MQTT_PORT = 1883
KAFKA_PORT = 9092
ENDINGS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
PATIENCE = 15.0
TOPIC = "bench.AirQualityObserved.v1"
MESSAGE = (
    '{"device":"aq-0001","ts":1769000000000,"temperature":21.5,"humidity":45.2,'
    '"pm10":12.1,"pm25":7.4,"no2":31.5,"battery":3.61,"lat":52.37,"lon":4.89}'
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.support.services", description=f"{__doc__}")
    parser.add_argument("--mqtt-port", type=int, default=MQTT_PORT, help="(default: %(default)s)")
    parser.add_argument("--kafka-port", type=int, default=KAFKA_PORT, help="(default: %(default)s)")
    parser.epilog = f"Both listen on {LOOPBACK} only. It prints a line to publish and one to consume."
    parsed = parser.parse_args(arguments)
    for port in (parsed.mqtt_port, parsed.kafka_port):
        if is_open(port):
            print(f"port {port} is taken: end what listens there first", file=sys.stderr)
            return 1
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    with tempfile.TemporaryDirectory(prefix="headrace-services-") as folder:
        try:
            _run(Path(folder), parsed.mqtt_port, parsed.kafka_port)
        except MissingToolError as problem:
            print(problem, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0
    raise AssertionError("services end by a signal or an error")


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _run(folder: Path, mqtt_port: int, kafka_port: int) -> NoReturn:
    mosquitto = Mosquitto(folder / "mosquitto", port=mqtt_port)
    kafka = Kafka(folder / "kafka", port=kafka_port)
    try:
        mosquitto.start()
        kafka.start()
        print(
            f"Mosquitto {mosquitto.url}, Kafka {kafka.bootstrap()}; data in {folder}, gone at the end. Ctrl-C ends.\n"
        )
        print(f"publish:\n  {_publish(mqtt_port)}\n\nconsume (once a worker has created the topic):")
        print(f"  {_consume(kafka_port)}", flush=True)
        _watch([mosquitto.process, kafka.process])
    finally:
        _end({"Mosquitto": mosquitto.process, "Kafka": kafka.process})


def _watch(processes: Sequence[Process]) -> NoReturn:
    on_terminal = sys.stdout.isatty()
    while True:
        time.sleep(1)
        # SIGHUP goes to the terminal's first process only, which may be a `make` that waits for us.
        if on_terminal and not sys.stdout.isatty():
            raise KeyboardInterrupt
        for process in processes:
            if not process.running:
                raise SystemExit(f"{process.command[0]} ended by itself:\n{process.tail()}")


def _end(services: Mapping[str, Process]) -> None:
    """End all at once, and kill those that take long, or all when asked again."""
    running = {name: process for name, process in services.items() if process.running}
    _say(f"Ending {' and '.join(running)}: seconds. Once more Ctrl-C kills.")
    try:
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while any(process.running for process in running.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        for name, process in running.items():
            if process.running:
                process.hard_kill()
                _say(f"Killed {name}.")


def _say(text: str) -> None:
    # A terminal that was closed takes nothing any more.
    with suppress(OSError):
        print(text, flush=True)


def _publish(port: int) -> str:
    return f"{_typed(find('mosquitto_pub'))} -h {LOOPBACK} -p {port} -q 1 -t city/aq/0001 -m '{MESSAGE}'"


def _consume(port: int) -> str:
    command = kafka_command("org.apache.kafka.tools.consumer.ConsoleConsumer", heap_mib=128)
    java = " ".join(f"'{part}'" if "*" in part else part for part in command)
    return f"{java} --bootstrap-server {LOOPBACK}:{port} --topic {TOPIC} --from-beginning"


def _typed(tool: Tool) -> str:
    return " ".join([*(f"{name}={value}" for name, value in tool.env.items()), str(tool.path)])


if __name__ == "__main__":
    sys.exit(main())

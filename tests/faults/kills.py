"""The long run: SIGKILL after SIGKILL of a worker under load, and one verdict (`make kills`)."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.rig import Rig
from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto


def kill_again_and_again(rig: Rig, kills: int, chance: random.Random) -> None:
    """Kill and start a worker that is at work."""
    for _ in range(kills):
        # Soon after the start it works on what has waited, with a full window; later it keeps up.
        rig.load.wait_for(chance.choice((1, 200, 1000, 4000)))
        rig.kill_worker()
        rig.load.wait_for(chance.choice((1, 5000)))
        rig.worker.start(timeout=180)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many kills")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; the clock unless given")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    with tempfile.TemporaryDirectory(prefix="headrace-kills-") as name:
        folder = Path(name)
        mosquitto = Mosquitto(folder / "mosquitto", durable=False, max_inflight_messages=0)
        with Kafka(folder / "kafka") as kafka, mosquitto:
            rig = Rig(folder, "kills", mosquitto, kafka)
            rig.notes["seed"] = seed
            try:
                rig.start()
                kill_again_and_again(rig, arguments.count, random.Random(seed))
                verdict = rig.finish(f"{arguments.count} SIGKILLs in a long run")
            finally:
                rig.close()
    print(f"{verdict.counts}\n{verdict.duplicates_allowed} duplicates allowed, conservation {verdict.conservation}")
    print("\n".join(verdict.defects()) or "good")
    return 1 if verdict.defects() else 0


if __name__ == "__main__":
    sys.exit(main())

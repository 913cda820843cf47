"""What one more device costs: bytes resident of the stages before the publisher, by how many devices there are.

Each step runs in a process of its own, since memory that was freed seldom returns to the kernel. A process that has
seen `FEW` devices is the baseline, so that imports and code do not count.
"""

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

FEW, MANY = 1_000, 120_000
ARRIVAL = 1_769_000_001_000


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure() -> str:
    """Return the costs as text."""
    few, many = (_child(devices) for devices in (FEW, MANY))
    each = (many - few) / (MANY - FEW)
    told = f"{few / 2**20:.1f} MiB at {FEW:,} devices, {many / 2**20:.1f} MiB at {MANY:,}"
    return f"plain feed: {told}: {each:.0f} bytes a device"


def _child(devices: int) -> int:
    command = [sys.executable, "-m", "loadtests.cardinality", str(devices)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def hold(devices: int) -> object:
    """Let so many devices of a plain feed speak once, in memory, and return what remembers them."""
    from pipeline.build import options as wiring  # noqa: PLC0415 - the baseline is this process without them
    from pipeline.build.context import WorkerContext  # noqa: PLC0415
    from pipeline.config.loading import load  # noqa: PLC0415
    from pipeline.core.delivery import (  # noqa: PLC0415
        Batch,
        Lane,
        Ledger,
        Message,
    )
    from pipeline.devices.silence_watch import SilenceWatch  # noqa: PLC0415
    from tests.pipeline.flow import READING, Memory  # noqa: PLC0415

    example = Path(__file__).parents[1] / "deploy" / "examples" / "bench.yaml"
    config = load(example)
    memory, shared = Memory(), WorkerContext()
    watch = SilenceWatch(shared.store, None, shared.raw)
    shared.watch = watch
    letters = wiring.dead_letters(config)
    first = wiring.router(config, "city", publisher=memory, letters=letters, events=memory, shared=shared)
    lane: Lane[None] = Lane(None, 10_000, ledger=Ledger())
    for number in range(devices):
        name, now = f"aq-{number:06d}", round(time.time() * 1000)
        payload = json.dumps({**READING, "device": name, "ts": now}).encode()
        first.put(Batch(lane.receive(1, None), [Message(f"city/aq/{number:06d}", payload, now)]))
        if len(memory.records) >= FEW:
            memory.records.clear()
    memory.records.clear()
    for _ in watch.look():
        pass
    return first, shared, watch


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(measure())
    else:
        kept = hold(int(sys.argv[1]))
        gc.collect()
        print(resident())

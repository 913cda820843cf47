"""The benchmark: every contender in turn, round after round, so that a slow minute of the machine hits all alike."""

import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtests import machine
from loadtests.cases import Case, Drain
from loadtests.contenders import Contender
from loadtests.rig import Options, Rig
from loadtests.samples import Sample

WARM_UP = Drain("warm-up", 50_000)


async def bench(
    folder: Path, cases: Sequence[Case], contenders: Sequence[Contender], *, rounds: int, options: Options
) -> Path:
    """Run everything; results are written after each run, so that an interrupted bench has told what it knew."""
    facts, samples, target = machine.describe(), list[Sample](), folder / "results.json"
    async with Rig(folder, options) as rig:
        for contender in contenders:
            # Not kept: the first records make the JVM compile, and show early whether each contender runs at all.
            _tell(await _run(rig, WARM_UP, contender, 0))
        for case in cases:
            for number in range(1, rounds + 1):
                for contender in (each for each in contenders if not each.cases or case.name in each.cases):
                    samples.append(await _run(rig, case, contender, number))
                    _tell(samples[-1])
                    _write(target, facts, options, samples)
    return target


async def _run(rig: Rig, case: Case, contender: Contender, number: int) -> Sample:
    """Keep a failed run as a failed run: one contender that stands still must not end the others' day."""
    try:
        return await case.run(rig, contender, number)
    except Exception as error:  # noqa: BLE001 - what went wrong is written into the results
        traceback.print_exc(file=sys.stderr)
        lines = str(error).splitlines() or [type(error).__name__]
        failure = " ".join(dict.fromkeys([lines[0], lines[-1]]))
        return Sample(case.name, contender.name, number, 0, 0.0, 0.0, 0, -1, failure=failure)


def _tell(sample: Sample) -> None:
    spent = f"{sample.cpu_s:.2f} s CPU, {sample.peak_rss / 2**20:.0f} MiB"
    waits = "" if sample.p99_ms is None else f", p50 {sample.p50_ms} ms, p99 {sample.p99_ms} ms"
    fate = sample.failure or f"{spent}, {sample.rate:,.0f}/s, lost {sample.lost}{waits}"
    print(f"{sample.case:10} round {sample.round} {sample.contender:19} {fate}", flush=True)


def _write(target: Path, facts: dict[str, str], options: Options, samples: Sequence[Sample]) -> None:
    data: dict[str, Any] = {"machine": facts, "options": asdict(options)}
    data["samples"] = [sample.as_json() for sample in samples]
    target.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

"""Where Headrace's time goes: one drain under the sampler, told as a list of functions and lines."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtests.cases import Drain
from loadtests.contenders import Command, Contender, Place
from loadtests.rig import Options, Rig

TOP = 30


async def profile(folder: Path, contender: Contender, messages: int, options: Options) -> None:
    target = folder / "profile.json"
    async with Rig(folder, options) as rig:
        sample = await Drain("profile", messages).run(rig, _sampled(contender, target), 1)
    text = _render(json.loads(target.read_text(encoding="utf-8")))
    share = f"{sample.system_s / sample.cpu_s * 100:.0f} % of it in the kernel"
    print(
        f"{messages:,} messages, {sample.cpu_s / messages * 1e6:.2f} us each with start and sampler, {share}\n\n{text}"
    )


def _sampled(contender: Contender, target: Path) -> Contender:
    def prepare(place: Place) -> Command:
        command = contender.prepare(place)
        interpreter, _, module, *rest = command.arguments
        return Command([interpreter, "-m", "loadtests.sampler", str(target), module, *rest], command.env)

    return replace(contender, prepare=prepare)


def _render(counted: dict[str, Any]) -> str:
    total = counted["samples"] or 1
    parts = []
    for title, counts in (("in the function or below it", counted["functions"]), ("on the line", counted["lines"])):
        top = sorted(counts.items(), key=lambda each: -each[1])[:TOP]
        rows = "\n".join(f"{count / total * 100:5.1f} %  {name}" for name, count in top)
        parts.append(f"{title} ({total} samples)\n{rows}")
    return "\n\n".join(parts)

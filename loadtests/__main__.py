"""`python -m loadtests bench|report|profile|forms|names|reading|payloads`: see README.md in this folder."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from loadtests import cardinality
from loadtests.bench import bench
from loadtests.cases import cases
from loadtests.contenders import CONTENDERS, Contender
from loadtests.forms import measure as measure_forms
from loadtests.networks import NETWORKS
from loadtests.payloads import table
from loadtests.profiling import profile
from loadtests.reading import measure
from loadtests.report import report
from loadtests.rig import Options
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import UPLINKS

EVERYONE: tuple[Contender, ...] = (*CONTENDERS, *NETWORKS)


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.command == "report":
        print(report(arguments.file))
    elif arguments.command == "profile":
        chosen = next(each for each in EVERYONE if each.name == arguments.contender)
        asyncio.run(profile(_folder(arguments.out), chosen, arguments.messages, _options(arguments)))
    elif arguments.command == "forms":
        print(measure_forms(arguments.rounds))
    elif arguments.command == "names":
        print(cardinality.measure())
    elif arguments.command == "reading":
        print(measure())
    elif arguments.command == "payloads":
        print(table({name: [UPLINKS[name], *EVENTS[name]] for name in UPLINKS}))
    else:
        return _bench(arguments)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    every = cases(quick=arguments.quick)
    chosen = [case for case in every if not arguments.only or case.name in {*arguments.only, "idle"}]
    contenders = [each for each in EVERYONE if not arguments.contenders or each.name in arguments.contenders]
    if not contenders or (arguments.only and len(chosen) < 2):
        names = ", ".join(case.name for case in every)
        print(f"nothing to run: cases are {names}; contenders {', '.join(each.name for each in EVERYONE)}")
        return 2
    folder = _folder(arguments.out)
    rounds = 1 if arguments.quick else arguments.runs
    results = asyncio.run(bench(folder, chosen, contenders, rounds=rounds, options=_options(arguments)))
    print(f"\n{report(results)}\n\n{results}")
    return 0


def _options(arguments: argparse.Namespace) -> Options:
    return Options(arguments.window, arguments.linger, arguments.max_inflight)


def _folder(wanted: Path | None) -> Path:
    folder = wanted or Path(tempfile.mkdtemp(prefix="headrace-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = argparse.ArgumentParser(add_help=False)
    measuring.add_argument("--out", type=Path, help="folder for results.json and all logs")
    measuring.add_argument("--window", type=int, default=5000, help="messages in flight in each contender")
    measuring.add_argument("--linger", type=int, default=10, help="of the relay, in ms; Headrace's default")
    measuring.add_argument("--max-inflight", type=int, default=20, help="Mosquitto's max_inflight_messages")
    run = commands.add_parser("bench", parents=[measuring], help="measure the contenders in turn")
    run.add_argument("--runs", type=int, default=5, help="rounds of each case")
    run.add_argument("--quick", action="store_true", help="one round of the short cases: does the harness work?")
    run.add_argument("--only", type=_names, default=[], help="cases, with commas between: drain100k,steady20k")
    run.add_argument("--contenders", type=_names, default=[], help="with commas between: headrace,relay,telegraf")
    look = commands.add_parser("profile", parents=[measuring], help="where Headrace's time goes in a drain")
    look.add_argument("--messages", type=int, default=200_000)
    ours = [each.name for each in EVERYONE if each.headrace]
    look.add_argument("--contender", choices=ours, default="headrace", help="Headrace, on plain JSON or LoRaWAN")
    forms = commands.add_parser("forms", help="what a record costs in each form of its value")
    forms.add_argument("--rounds", type=int, default=240)
    commands.add_parser("names", help="how much memory one more device of a plain feed takes")
    commands.add_parser("reading", help="how long large configurations and registries take to read and check")
    commands.add_parser("payloads", help="how long the worst payloads of 256 KiB take to parse")
    tell = commands.add_parser("report", help="render results.json as Markdown")
    tell.add_argument("file", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What must come of the captured traffic of a real ChirpStack (shared/data/chirpstack) on each way to Headrace.

Told by truth.jsonl alone: who heard which frame, whose it is, and what is in it.
"""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.connectors.network_servers.capture import rows

Row = dict[str, Any]
LETTERS = {"went_back": "f_cnt_invalid", "mic_invalid": "mic_invalid", "frame_invalid": "frame_invalid"}
"""Outcomes of raw frames that are kept as dead letters, and the reason that these give."""


@dataclass(frozen=True)
class Way:
    """files: MQTT messages. ports: where the bridges of this way listened; None is the one of the Basics Station."""

    feed: str
    files: tuple[str, ...] = ()
    ports: tuple[int | None, ...] = ()

    def messages(self, shared_data: Path) -> list[Row]:
        """Return what the broker got, in the order of the capture."""
        every = [row for name in self.files for row in rows(shared_data, name)]
        return sorted(every, key=lambda row: int(row["n"]))


_GPS_EPOCH, _LEAPS = 315_964_800_000, 18_000
_NO_CRC_CHECK = 1702  # of a bridge that publishes what fails it, too
_APP = ("up", "join", "status", "ack", "txack", "log")
SERVER = Way("server", tuple(f"app_{form}_{kind}" for form in ("json", "pb") for kind in _APP))
BRIDGE = Way(
    "bridge",
    (
        *(f"gw_pb_{kind}" for kind in ("up", "stats", "ack", "conn", "exec", "raw")),
        *(f"gw_json_eu868_{kind}" for kind in ("up", "stats", "ack", "conn")),
    ),
    (1700, _NO_CRC_CHECK, None),
)
JSON_BRIDGE = Way("json_bridge", tuple(f"gw_json_{kind}" for kind in ("up", "stats", "ack", "conn", "exec")), (1701,))
PACKETS = Way("packets", ports=(1700, 1701, 1702))
WAYS = (SERVER, BRIDGE, JSON_BRIDGE, PACKETS)


@dataclass
class Due:
    """What is due: records by (device, ce_id), and frames by what becomes of them.

    times: by ce_id, when gateways with GPS heard the frame. copies: receptions beside the first of a frame. broken:
    receptions with a wrong checksum, or none.
    """

    records: dict[tuple[str, str], str] = field(default_factory=dict)
    times: dict[str, set[int]] = field(default_factory=dict)
    outcomes: dict[str, set[str]] = field(default_factory=dict)
    copies: int = 0
    broken: int = 0

    def add(self, row: Row, way: Way) -> None:
        self.records[row["dev_name"], ce_id(row)] = said(row)
        self.times[ce_id(row)] = gps_times(row, way)

    def said(self, ce_id: str) -> str | None:
        """Return what the record of that `ce_id` says, or None if there is none."""
        return self.records.get((ce_id.split(":")[1], ce_id))

    def counts(self) -> dict[str, int]:
        """Return how many frames have each outcome; late or early, a copy is one."""
        counted = {outcome: len(frames) for outcome, frames in self.outcomes.items()}
        return {how: n for how, n in (counted | {"copy": self.copies, "crc_invalid": self.broken}).items() if n}

    def letters(self) -> Counter[tuple[str, str]]:
        """Return the frames that become dead letters, each with its reason."""
        return Counter((frame, LETTERS[how]) for how in LETTERS for frame in self.outcomes.get(how, ()))


def registry(shared_data: Path) -> list[dict[str, Any]]:
    """List every device with the keys of all its sessions."""
    devices = orjson.loads((shared_data / "chirpstack" / "devices.json").read_bytes())
    names = ("dev_addr", "nwk_s_key", "app_s_key")
    return [
        {
            "key": device["name"],
            "dev_eui": device["dev_eui"],
            "sessions": [{name: each[name] for name in names} for each in device["otaa_sessions"] or [device]],
        }
        for device in devices
    ]


def pushed(shared_data: Path) -> list[bytes]:
    return [bytes.fromhex(row["hex"]) for row in rows(shared_data, "udp") if row["type"] == "PUSH_DATA"]


def truth(shared_data: Path) -> list[Row]:
    """Return one row for each frame, or what passes for one."""
    return [row | {"phy_hex": phy} for row in rows(shared_data, "truth") for phy in _frames(row)]


def due(way: Way, shared_data: Path) -> Due:
    found = Due()
    if way is SERVER:
        for row in truth(shared_data):
            if row["expected_up_event"] and row["fport"]:
                found.add(row, way)
        return found
    accepted: set[tuple[str, int]] = set()
    heard: set[str] = set()
    for row in truth(shared_data):
        copies, frame = _copies(row, way), row["phy_hex"]
        if row["kind"] == "join_request":
            frame += f"@{row['seq']}"  # each is another transmission: the one that was replayed had another frequency
        if any(gateway.get("crc_stat") in {0, -1} for gateway in row["gateways"]):
            found.broken += copies
        elif frame in heard:
            found.copies += copies
        elif copies:
            heard.add(frame)
            found.copies += copies - 1
            outcome = _outcome(row, accepted)
            found.outcomes.setdefault(outcome, set()).add(frame)
            if outcome == "uplink":
                found.add(row, way)
    return found


def ce_id(row: Row) -> str:
    return f"DeviceMeasurement:{row['dev_name']}:{row['dev_addr']}-{row['fcnt']}-{row['fport']}"


def said(row: Row) -> str:
    """Return what the connector of these tests makes of the frame: its port, and its payload in hex."""
    return f"{row['fport']}:{row['payload_hex']}"


def _frames(row: Row) -> Iterator[str]:
    if "phy_hex" in row:
        yield row["phy_hex"]
    elif row["raw_hex"].endswith("7d"):  # what bridges take for malformed, but is whole
        for each in orjson.loads(bytes.fromhex(row["raw_hex"]))["rxpk"]:
            yield b64decode(each["data"] + "=").hex()


def _copies(row: Row, way: Way) -> int:
    """Count the receptions of a frame that came this way."""
    return sum(_came(gateway, port, way) for gateway in row["gateways"] for port in gateway.get("bridges") or (None,))


def _came(gateway: Row, port: int | None, way: Way) -> int:
    if way is PACKETS:  # what two antennas heard stands in one datagram, and is one reception
        return int(port in way.ports or "via" not in gateway)  # truth says less of what bridges take for malformed
    passed = gateway.get("crc_stat") in {1, None} or (port == _NO_CRC_CHECK and gateway["crc_stat"] == -1)
    return len(gateway.get("antennas") or "1") if port in way.ports and passed and "via" in gateway else 0


def gps_times(row: Row, way: Way) -> set[int]:
    """Return when the gateways with GPS whose receptions came this way heard a frame, in milliseconds since 1970."""
    found = set()
    for gateway in row["gateways"]:
        heard = way is SERVER or any(_came(gateway, port, way) for port in gateway.get("bridges") or (None,))
        since = gateway.get("tmms") or gateway.get("upinfo", {}).get("gpstime", 0) // 1000
        if heard and since:
            found.add(_GPS_EPOCH + since - _LEAPS)
    return found


def _outcome(row: Row, accepted: set[tuple[str, int]]) -> str:
    if row["kind"] == "join_request":
        return "join"
    if row["kind"] not in {"data_up", "data_up_replay"}:
        return "frame_invalid"
    if row["dev_name"] == "unknown":
        return "foreign"
    if not row["mic_valid"]:
        return "mic_invalid"
    which = row["dev_addr"] + row["dev_name"], row["fcnt"]
    if which in accepted:
        return "went_back"
    accepted.add(which)
    return "uplink" if row["fport"] else "mac"

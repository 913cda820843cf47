"""The machine that this runs on: open files, the clock, the folder of state and its disk."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.core.files import document
from pipeline.tools.doctor.finding import Judgement

_SPARE_FILES = 256  # Python, the state file, the admin server's callers, Kafka's brokers
_MIB = 1024**2
_LITTLE, _SOME = 64 * _MIB, 512 * _MIB  # the state file's bound is 64 MiB of values
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_ERROR_AT = 3  # timex.maxerror, in longs
_TIMEX_LONGS = 64
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"}


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of state.

    Attributes:
        writable: Whether this user may write there.
        free: In bytes.
        kind: The kind of its file system.
        feeds: The name of each feed that has left a session there -> its client id.
    """

    path: Path
    writable: bool
    free: int
    kind: str
    feeds: dict[str, str]


def folder(path: Path) -> Folder:
    """Look at the folder, or at the one in which it would be made."""
    there = next((each for each in (path, *path.parents) if each.exists()), Path("/"))
    disk = os.statvfs(there)
    writable = os.access(there, os.W_OK | os.X_OK) and there.is_dir() and not disk.f_flag & os.ST_RDONLY
    return Folder(path, writable, disk.f_bavail * disk.f_frsize, _kind(there), _sessions(path))


def judge_folder(config: Config, found: Folder) -> Iterator[Judgement]:
    """Say whether a worker can keep its state there, and whether another does."""
    place = ("state_dir",)
    where = f"state in {found.path}"
    if found.writable:
        yield Judgement("state.folder", "ok", f"{where}: this user may write there.", place)
    else:
        said = f"{where}: this user may not write there; what must outlive the process is forgotten."
        yield Judgement("state.folder", "critical", said, place, "state_dir: <a folder of the worker's user>")
    yield _disk(where, found)
    if found.kind in _REMOTE:
        said = f"{where} is on {found.kind}: SQLite's locks are not to be trusted there, and two workers may share it."
        yield Judgement("state.shared", "warning", said, place, "state_dir: <a folder on a disk of this machine>")
    mine = {name: feed.session[2] for name, feed in config.feeds.items() if feed.session is not None}
    others = {name: client for name, client in found.feeds.items() if mine.get(name) != client}
    if others:
        named = ", ".join(f"{name} (client {client})" for name, client in sorted(others.items()))
        said = f"{where} holds sessions of feeds that are not of this configuration: {named}."
        change = "state_dir: <one for each worker>; or remove the file, if the feed is gone"
        yield Judgement("state.shared", "warning", said, place, change)


def _disk(where: str, found: Folder) -> Judgement:
    said = f"{where}: {found.free / _MIB:,.0f} MiB are free."
    if found.free < _LITTLE:
        return Judgement("state.disk", "critical", said, ("state_dir",), "Make room, or move `state_dir`.")
    if found.free < _SOME:
        return Judgement("state.disk", "warning", said, ("state_dir",), "Make room, or move `state_dir`.")
    return Judgement("state.disk", "ok", said, ("state_dir",))


def open_files() -> int:
    """Return how many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def judge_open_files(config: Config, limit: int) -> Judgement:
    """Hold the limit against what a worker opens."""
    needed = _SPARE_FILES + 2 * len(config.feeds)
    said = f"this user may open {limit:,} files; a worker of this configuration needs up to {needed}."
    if limit < needed:
        return Judgement("machine.open_files", "critical", said, change="LimitNOFILE=4096", file="headrace.service")
    return Judgement("machine.open_files", "ok", said)


def clock() -> float | None:
    """Return by how many seconds the clock may be wrong, as the kernel estimates; None if it is not synchronised.

    Raises:
        OSError: the kernel does not say.
    """
    timex = (ctypes.c_long * _TIMEX_LONGS)()  # modes 0: nothing is changed
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return None if state == _TIME_ERROR else timex[_ERROR_AT] / 1e6


def judge_clock(told: float | None) -> Judgement:
    """Judge the clock by itself; clock.py holds it against Kafka's. MQTT has no way to ask a broker for its time."""
    others = "MQTT brokers tell no time, so theirs is unknown."
    if told is None:
        said = f"the kernel says that this clock is not synchronised. {others}"
        return Judgement("machine.clock", "warning", said, change="timedatectl set-ntp true")
    said = f"the kernel says that this clock is synchronised, to {told * 1000:,.0f} ms at worst. {others}"
    return Judgement("machine.clock", "ok", said)


def judge(config: Config) -> Iterator[Judgement]:
    """Look at all of it."""
    yield judge_open_files(config, open_files())
    try:
        yield judge_clock(clock())
    except (OSError, AttributeError):
        yield Judgement("machine.clock", "info", "the kernel does not say whether this clock is synchronised.")
    yield from judge_folder(config, folder(wiring.state_folder(config)))


def _kind(path: Path) -> str:
    """Return the kind of file system, by the longest mount point that is a parent."""
    best, kind = -1, ""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    resolved = path.resolve()
    for line in mounts:
        _, point, name, *_ = line.split(" ")
        if resolved.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), name
    return kind


def _sessions(path: Path) -> dict[str, str]:
    end = ".mqtt-session.json"
    found = {}
    try:
        for file in path.glob(f"*{end}"):
            found[file.name.removesuffix(end)] = str(document(file)["client_id"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # the feed judges its own file, and says so
    return found

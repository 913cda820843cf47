"""A real Mosquitto on loopback, which keeps its data and its ports over every restart."""

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from tests.support.certs import Certificates
from tests.support.ports import LOOPBACK, free_ports, is_open
from tests.support.process import Process
from tests.support.toolchain import Tool, find

# With the defaults a SIGKILL of the broker loses all that it has acknowledged to its publishers: 1,000 of 1,000 in a
# trial. Here the interval counts changes, not seconds: the whole state is written after each turn of the broker's loop,
# a moment after the PUBACK. Time grows with the square of what waits: 1,000 messages 1 s, 10,000 more than a minute.
EACH_CHANGE = ("persistence true", "autosave_on_changes true", "autosave_interval 1")
# For a backlog: a SIGKILL loses at most the last second.
EACH_SECOND = ("persistence true", "autosave_on_changes false", "autosave_interval 1")
SAVING = {True: EACH_CHANGE, "each second": EACH_SECOND, False: ("persistence false",)}


class Mosquitto:
    """One broker. Always a plain TCP listener; with certificates also TLS and mutual TLS, with websockets those too."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool | Literal["each second"] = True,
        max_inflight_messages: int = 20,
        max_queued_messages: int = 0,
        users: Mapping[str, str] | None = None,
        certificates: Certificates | None = None,
        websockets: bool = False,
        extra: Sequence[str] = (),
        port: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificates = certificates
        plain, self.tls_port, self.mtls_port, self.ws_port, self.wss_port = free_ports(5)
        self.port = port or plain
        self._users = dict(users or {})
        self._websockets = websockets
        self._settings = [
            *SAVING[durable],
            f"max_inflight_messages {max_inflight_messages}",
            f"max_queued_messages {max_queued_messages}",
            *extra,
        ]
        tool = find("mosquitto")
        self.process = Process([tool.path, "-c", folder / "mosquitto.conf"], folder / "mosquitto.log", env=tool.env)

    @property
    def url(self) -> str:
        return f"mqtt://{LOOPBACK}:{self.port}"

    @property
    def ports(self) -> list[int]:
        tls = [self.tls_port, self.mtls_port] if self.certificates else []
        websockets = [self.ws_port] if self._websockets else []
        secure_websockets = [self.wss_port] if self._websockets and self.certificates else []
        return [self.port, *tls, *websockets, *secure_websockets]

    def start(self) -> None:
        self._write_password_file()
        (self.folder / "mosquitto.conf").write_text("\n".join(self._config()) + "\n", encoding="utf-8")
        self.process.start()
        self.process.wait_until(lambda: all(map(is_open, self.ports)), what="listening")

    def stop(self) -> int:
        return self.process.terminate()

    def kill(self) -> int:
        """SIGKILL: only what the settings made durable survives."""
        return self.process.hard_kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """Let the broker read its certificate and password files again, as an operator does after a rotation."""
        self._write_password_file()
        self.process.send_signal(signal.SIGHUP)

    def set_users(self, users: Mapping[str, str]) -> None:
        self._users = dict(users)

    def forget(self) -> None:
        """Lose every session and message, as a broker whose disk was replaced does."""
        self.stop()
        (self.folder / "mosquitto.db").unlink(missing_ok=True)
        self.start()

    def __enter__(self) -> "Mosquitto":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _config(self) -> list[str]:
        lines = [
            f"user {pwd.getpwuid(os.geteuid()).pw_name}",  # else a broker that root starts cannot write to our folder
            f"persistence_location {self.folder}/",
            "log_dest stderr",
            "sys_interval 1",
            f"allow_anonymous {'false' if self._users else 'true'}",
            *self._settings,
        ]
        if self._users:
            lines.append(f"password_file {self.folder / 'passwords'}")
        lines += self._listener(self.port)
        if self.certificates:
            lines += [*self._listener(self.tls_port), *self._tls(require_client=False)]
            lines += [*self._listener(self.mtls_port), *self._tls(require_client=True)]
        if self._websockets:
            lines += [*self._listener(self.ws_port), "protocol websockets"]
        if self._websockets and self.certificates:
            lines += [*self._listener(self.wss_port), "protocol websockets", *self._tls(require_client=False)]
        return lines

    def _listener(self, port: int) -> list[str]:
        return [f"listener {port} {LOOPBACK}"]

    def _tls(self, *, require_client: bool) -> list[str]:
        if self.certificates is None:
            raise RuntimeError("a TLS listener needs certificates")
        server = self.certificates.server
        lines = [f"certfile {server.certificate}", f"keyfile {server.key}"]
        return [*lines, f"cafile {self.certificates.ca}", "require_certificate true"] if require_client else lines

    def _write_password_file(self) -> None:
        file = self.folder / "passwords"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        tool = find("mosquitto_passwd")
        for name, password in self._users.items():
            command = [str(tool.path), "-b", str(file), name, password]
            subprocess.run(command, env={**os.environ, **tool.env}, check=True, capture_output=True)


def mosquitto_pub() -> Tool:
    return find("mosquitto_pub")


def mosquitto_sub() -> Tool:
    return find("mosquitto_sub")

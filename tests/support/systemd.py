"""The other side of sd_notify(3): a datagram socket that keeps what a service says."""

from __future__ import annotations

import socket
from pathlib import Path


class NotifySocket:
    """Stands where systemd listens. An address that begins with `@` is abstract, as systemd's own may be."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self._socket.setblocking(False)  # noqa: FBT003
        self.said: list[str] = []

    def lines(self) -> list[str]:
        """Return every line so far, in order."""
        while True:
            try:
                self.said += self._socket.recv(65_536).decode().splitlines()
            except BlockingIOError:
                return self.said

    def count(self, line: str) -> int:
        return self.lines().count(line)

    def close(self) -> None:
        self._socket.close()

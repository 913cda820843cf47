"""Free ports on the loopback interface, below the range from which the kernel takes a client's own port.

A port of that range that nobody listens on for a while (a broker that was killed) can be given to a client, even to the
very client that tries to connect there: it is then connected to itself, and the broker cannot come back.
"""

import random
import socket

LOOPBACK = "127.0.0.1"
BELOW_THE_KERNELS = range(20_000, 32_000)

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(BELOW_THE_KERNELS)
        if port not in _given and _can_bind(port):
            _given.add(port)
            ports.append(port)
    return ports


def free_port() -> int:
    return free_ports(1)[0]


def is_open(port: int, host: str = LOOPBACK) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True

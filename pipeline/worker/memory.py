"""How the process keeps its memory: what is freed is soon needed again."""

from __future__ import annotations

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3), glibc
_TRIM_BYTES, _MMAP_BYTES = 64 * 1024**2, 32 * 1024**2


def settle() -> None:
    """Call once everything long-lived is made.

    glibc gives each freed chunk of 256 KiB back to the kernel and faults it in anew for the next: 0.5 us a message.
    And messages make no cycles, so looking for cycles at each 700th allocation finds nothing.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
        libc.mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)

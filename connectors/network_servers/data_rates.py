"""Data rates as packet forwarders write them (Lora-net/packet_forwarder, PROTOCOL.TXT 1.6, section 4)."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)
def lora_rate(spreading_factor: int, bandwidth: int) -> str:
    """Return `SF7BW125`; the bandwidth is in Hz, of v3 in kHz."""
    return f"SF{spreading_factor}BW{bandwidth // 1000 if bandwidth >= 2000 else bandwidth}"  # noqa: PLR2004


def lr_fhss_rate(width: int) -> str:
    """Return `M0CW137`, as packet forwarders write it, from the channel's width in Hz."""
    return f"M0CW{round(width / 1000)}"

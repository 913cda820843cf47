"""PHYPayload of LoRaWAN 1.0.x and 1.1: what a device sends, taken apart by its lengths (LoRaWAN 1.1, clause 4).

Which of the two versions a data frame follows is not in its bytes: the session says it. What a network sends is named
and refused: it is no reading, and none of our business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, NoReturn

from msgspec import Struct

from pipeline.core.errors import PayloadError, Reason

LONGEST = 255
"""Bytes of a PHYPayload: what a LoRa packet can hold."""

_MIC = 4
_SHORTEST_DATA = 12  # MHDR, FHDR without FOpts, MIC
_JOIN_REQUEST = 23
_REJOIN_REQUESTS = {0: 19, 1: 24, 2: 19}  # by rejoin type
_MAJOR_R1 = 0

_JOIN, _DATA_UP, _CONFIRMED_UP, _REJOIN = 0, 2, 4, 6
_REFUSED = {1: "a join-accept", 3: "a data frame of the network", 5: "a data frame of the network", 7: "proprietary"}

# MHDR of data in R1: the bits between are reserved, and devices of later versions may use them.
_DATA_HEADS = frozenset(kind << 5 | reserved << 2 for kind in (_DATA_UP, _CONFIRMED_UP) for reserved in range(8))
_HEADER = struct.Struct("<x4sBH").unpack_from  # DevAddr, FCtrl, FCnt


@dataclass(slots=True)
class JoinRequest:
    """A device asks to join (clauses 6.2.5 and 6.2.4.1). Nothing proves who it is: its server alone has the MIC's key.

    Attributes:
        dev_eui: 16 lower-case hex digits; a rejoin-request of type 0 or 2 names its NetID instead of a JoinEUI.
        join_eui: 16 lower-case hex digits; a rejoin-request of type 0 or 2 names its NetID instead of a JoinEUI.
        nonce: DevNonce, or the RJcount of a rejoin-request.
        rejoin: Its type, None for a join-request.
    """

    dev_eui: str
    join_eui: str | None
    nonce: int
    rejoin: Literal[0, 1, 2] | None = None
    net_id: str | None = None


class DataUp(Struct, gc=False):
    """Data of a device, still encrypted (clause 4.3).

    Attributes:
        phy: The whole frame.
        address: DevAddr as it travels, its last byte first.
        f_cnt: The lower 16 bits of the counter.
        f_opts: MAC commands, encrypted in LoRaWAN 1.1.
        port: FPort, None without one.
        payload: FRMPayload.
    """

    phy: bytes
    address: bytes
    f_ctrl: int
    f_cnt: int
    f_opts: bytes
    port: int | None
    payload: bytes

    @property
    def dev_addr(self) -> str:
        """DevAddr in 8 lower-case hex digits."""
        return _backwards(self.address)

    @property
    def mic(self) -> bytes:
        """The message integrity code."""
        return self.phy[-_MIC:]

    @property
    def confirmed(self) -> bool:
        """Whether the device asks its network for an acknowledgement."""
        return self.phy[0] >> 5 == _CONFIRMED_UP


def parse(phy: bytes) -> DataUp | JoinRequest:
    """Take a PHYPayload apart.

    Raises:
        PayloadError: it is no frame that a device sends (`frame_invalid`).
    """
    size = len(phy)
    if not _MIC < size <= LONGEST:
        _refuse(f"Expected a LoRaWAN frame of at most {LONGEST} bytes, got {size}.")
    if phy[0] in _DATA_HEADS:
        return _data(phy, size)
    kind = phy[0] >> 5
    if phy[0] & 3 != _MAJOR_R1:
        _refuse(f"Expected a frame of LoRaWAN R1 (major version 0), got MHDR {phy[0]:#04x}.")
    if kind == _JOIN:
        return _join(phy)
    if kind == _REJOIN:
        return _rejoin(phy)
    return _refuse(f"Expected a frame that a device sends, got MHDR {phy[0]:#04x}: {_REFUSED[kind]}.")


def _data(phy: bytes, size: int) -> DataUp:
    if size < _SHORTEST_DATA:
        _refuse(f"Expected a data frame of at least {_SHORTEST_DATA} bytes, got {size}.")
    address, f_ctrl, f_cnt = _HEADER(phy)
    end, options_end = size - _MIC, 8 + (f_ctrl & 0x0F)
    if options_end > end:
        _refuse(f"FOptsLen says {f_ctrl & 0x0F} bytes, but {end - 8} are left before the MIC.")
    f_opts = phy[8:options_end]
    port = phy[options_end] if options_end < end else None
    if port == 0 and f_opts:
        _refuse("MAC commands in FOpts and under FPort 0 at once (LoRaWAN 1.1, clause 4.3.1.6).")
    return DataUp(phy, address, f_ctrl, f_cnt, f_opts, port, phy[options_end + 1 : end])


def _join(phy: bytes) -> JoinRequest:
    if len(phy) != _JOIN_REQUEST:
        _refuse(f"Expected a join-request of {_JOIN_REQUEST} bytes, got {len(phy)}.")
    return JoinRequest(_backwards(phy[9:17]), _backwards(phy[1:9]), _number(phy[17:19]))


def _rejoin(phy: bytes) -> JoinRequest:
    kind = phy[1]
    if len(phy) != _REJOIN_REQUESTS.get(kind):
        _refuse(f"Expected a rejoin-request of type 0 or 2 (19 bytes) or 1 (24), got type {kind} in {len(phy)} bytes.")
    if kind == 1:
        return JoinRequest(_backwards(phy[10:18]), _backwards(phy[2:10]), _number(phy[18:20]), rejoin=1)
    net_id = _backwards(phy[2:5])
    return JoinRequest(_backwards(phy[5:13]), None, _number(phy[13:15]), rejoin=0 if kind == 0 else 2, net_id=net_id)


def _backwards(octets: bytes) -> str:
    """Return an identifier as it is written: it travels with its last byte first (clause 1.1)."""
    return octets[::-1].hex()


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "little")


def _refuse(detail: str) -> NoReturn:
    raise PayloadError(detail, Reason.FRAME_INVALID)

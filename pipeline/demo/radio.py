"""The frames that a LoRaWAN 1.0 device sends, encrypted and with their MIC (LoRaWAN 1.0.4, clauses 4 and 6.2.5).

Written apart from pipeline/lorawan, which takes them apart again: a mistake in one does not hide in the other.
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from pipeline.devices.registry import Key, Session

_MIC = 4
_UNCONFIRMED_UP, _JOIN_REQUEST = 0x40, 0x00


def data_up(session: Session, f_cnt: int, port: int, payload: bytes) -> bytes:
    """Return the PHYPayload of an unconfirmed uplink; f_cnt: all 32 bits of the counter."""
    address = bytes.fromhex(session.dev_addr)[::-1]
    count = struct.pack("<I", f_cnt)
    message = bytes([_UNCONFIRMED_UP]) + address + b"\0" + count[:2] + bytes([port])
    first = b"\1" + bytes(5) + address + count + b"\0\1"
    message += Cipher(AES(bytes(session.app_s_key)), modes.CTR(first)).encryptor().update(payload)
    block = b"\x49" + bytes(5) + address + count + bytes([0, len(message)])
    return message + _cmac(session.nwk_s_key, block + message)


def join_request(dev_eui: str, nonce: int, app_key: Key) -> bytes:
    """Return the PHYPayload of a join-request with the JoinEUI 0."""
    message = bytes([_JOIN_REQUEST]) + bytes(8) + bytes.fromhex(dev_eui)[::-1] + struct.pack("<H", nonce & 0xFFFF)
    return message + _cmac(app_key, message)


def _cmac(key: Key, octets: bytes) -> bytes:
    mac = CMAC(AES(bytes(key)))
    mac.update(octets)
    return mac.finalize()[:_MIC]

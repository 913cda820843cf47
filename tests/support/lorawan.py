"""LoRaWAN frames made for tests, and what only a network server does: downlinks, join-accepts, keys of a join.

Written from the specification apart from pipeline/lorawan, so that a mistake there does not hide itself here.
"""

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from pipeline.devices.registry import Key, Session


def cmac(key: bytes, octets: bytes) -> bytes:
    made = CMAC(algorithms.AES(key))
    made.update(octets)
    return made.finalize()


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def crypt(
    key: bytes, dev_addr: str, f_cnt: int, octets: bytes, *, down: bool = False, zeros: bytes = bytes(4)
) -> bytes:
    """Encrypt or decrypt FRMPayload (or FOpts, with other `zeros`): LoRaWAN 1.1, clause 4.3.3."""
    first = b"\1" + zeros + bytes([down]) + bytes.fromhex(dev_addr)[::-1] + struct.pack("<I", f_cnt) + b"\0\1"
    return Cipher(algorithms.AES(key), modes.CTR(first)).encryptor().update(octets)


def block(dev_addr: str, f_cnt: int, size: int, *, down: bool, front: bytes = bytes(4)) -> bytes:
    address = bytes.fromhex(dev_addr)[::-1]
    return b"\x49" + front + bytes([down]) + address + struct.pack("<I", f_cnt) + bytes([0, size])


def mic_10(key: bytes, dev_addr: str, f_cnt: int, message: bytes, *, down: bool = False) -> bytes:
    return cmac(key, block(dev_addr, f_cnt, len(message), down=down) + message)[:4]


def mic_11(s_key: bytes, f_key: bytes, dev_addr: str, f_cnt: int, message: bytes, *, front: bytes) -> bytes:
    """front: ConfFCnt (2 bytes, little-endian), TxDr, TxCh."""
    lower = cmac(s_key, block(dev_addr, f_cnt, len(message), down=False, front=front) + message)
    return lower[:2] + mic_10(f_key, dev_addr, f_cnt, message)[:2]


def session(dev_addr: str, seed: int = 1, version: str = "1.0") -> Session:
    app, nwk, s_int, enc = (Key(bytes([kind]) + seed.to_bytes(15, "big")) for kind in range(4))
    if version == "1.1":
        return Session(dev_addr, "1.1", app, nwk, s_int, enc)
    return Session(dev_addr, "1.0", app, nwk, nwk, nwk)


def data_up(
    keys: Session,
    f_cnt: int,
    payload: bytes = b"",
    port: int | None = 1,
    *,
    f_opts: bytes = b"",
    confirmed: bool = False,
    front: bytes = bytes(4),
) -> bytes:
    """Return the PHYPayload of a device's data; f_cnt is the whole counter. In LoRaWAN 1.1, FOpts is encrypted."""
    enc = keys.app_s_key if port else keys.nwk_s_enc_key
    if keys.version == "1.1":
        f_opts = crypt(keys.nwk_s_enc_key, keys.dev_addr, f_cnt, f_opts, zeros=b"\0\0\0\1")
    header = bytes([0x80 if confirmed else 0x40]) + bytes.fromhex(keys.dev_addr)[::-1]
    message = header + bytes([len(f_opts)]) + struct.pack("<H", f_cnt & 0xFFFF) + f_opts
    if port is not None:
        message += bytes([port]) + crypt(enc, keys.dev_addr, f_cnt, payload)
    if keys.version == "1.1":
        mic = mic_11(keys.s_nwk_s_int_key, keys.f_nwk_s_int_key, keys.dev_addr, f_cnt, message, front=front)
    else:
        mic = mic_10(keys.nwk_s_key, keys.dev_addr, f_cnt, message)
    return message + mic


def join_request(dev_eui: str, join_eui: str = "00" * 8, nonce: int = 1, key: bytes = bytes(16)) -> bytes:
    message = b"\0" + bytes.fromhex(join_eui)[::-1] + bytes.fromhex(dev_eui)[::-1] + struct.pack("<H", nonce)
    return message + cmac(key, message)[:4]


def join_accept(key: bytes, phy: bytes) -> bytes:
    """Return a join-accept in clear: the server decrypts, so that a device need only encrypt (clause 6.2.3)."""
    return phy[:1] + aes(key, phy[1:])


def derived(key: bytes, kind: int, *parts: bytes) -> bytes:
    """Return the key of one kind (clause 6.2.3.1); the parts are as written, their last bytes travel first."""
    return aes(key, (bytes([kind]) + b"".join(part[::-1] for part in parts)).ljust(16, b"\0"))

"""The two things that session keys are for: is a frame its device's own, and what does it say.

    keys = Keys(session)
    keys.verifies(frame, f_cnt)     the MIC, with all 32 bits of the counter
    keys.payload(frame, f_cnt)      FRMPayload in clear

AES-CMAC is RFC 4493. `cryptography` is imported when the first keys are used: who hears no raw frames does not wait.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hmac import compare_digest

from pipeline.devices.registry import Session
from pipeline.lorawan.phy_payload import DataUp

_BLOCK = struct.Struct("<6s4sIxB").pack  # B0 and A, clauses 4.4 and 4.3.3: its start, DevAddr, FCnt, last
_AES_BLOCK = 16
# How a block starts: its kind, four zeros, and the direction, which is up. FOpts: LoRaWAN 1.1 errata, FCntUp.
_MIC_BLOCK, _CIPHER_BLOCK, _F_OPTS_BLOCK = b"\x49\0\0\0\0\0", b"\1\0\0\0\0\0", b"\1\0\0\0\1\0"
_NUMBERS = [bytes([number]) for number in range(17)]  # of blocks: a frame holds 16
_number = int.from_bytes


class Keys:
    """The ciphers of one session, made once: a frame then costs three calls.

    A MIC of LoRaWAN 1.1 has two halves (clause 4.4). The upper one, of FNwkSIntKey, follows from the frame alone and is
    verified. The lower one, of SNwkSIntKey, needs the data rate's and the channel's index and the counter of the
    downlink that the frame acknowledges; only the network server knows those, so that half is not looked at. A random
    frame passes once in 65,536 times, where a frame of 1.0 passes once in 4 milliards.
    """

    __slots__ = ("_crypt", "_half", "_mic", "_network")

    def __init__(self, session: Session) -> None:
        from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415 - on first use
        from cryptography.hazmat.primitives.cmac import CMAC  # noqa: PLC0415 - on first use

        self._mic = CMAC(AES(bytes(session.f_nwk_s_int_key)))
        self._half = session.version == "1.1"  # of the MIC; and FOpts is encrypted
        self._network = session.nwk_s_enc_key  # seldom used: its cipher is made when it is
        self._crypt = _encryptor(session.app_s_key)

    def verifies(self, frame: DataUp, f_cnt: int) -> bool:
        """Say whether the MIC is that of this session, were `f_cnt` the whole counter."""
        phy, mic = frame.phy, self._mic.copy()
        mic.update(_BLOCK(_MIC_BLOCK, frame.address, f_cnt, len(phy) - 4) + phy[:-4])
        if self._half:
            return compare_digest(mic.finalize()[:2], phy[-2:])
        return compare_digest(mic.finalize()[:4], phy[-4:])

    def mark(self, frame: DataUp) -> bytes:
        """Return four bytes that tell a frame from others of its counter: what of the MIC is verified.

        A device of 1.1 that sends a frame again on another channel makes a new lower half for it.
        """
        return b"\0\0" + frame.phy[-2:] if self._half else frame.phy[-4:]

    def payload(self, frame: DataUp, f_cnt: int) -> bytes:
        """Return FRMPayload in clear: MAC commands under FPort 0, else the application's."""
        crypt = self._crypt if frame.port else _encryptor(self._network)
        return _decrypted(crypt, frame.payload, _CIPHER_BLOCK, frame.address, f_cnt)

    def f_opts(self, frame: DataUp, f_cnt: int) -> bytes:
        """Return the MAC commands of FOpts in clear."""
        if not self._half:
            return frame.f_opts
        return _decrypted(_encryptor(self._network), frame.f_opts, _F_OPTS_BLOCK, frame.address, f_cnt)


def _encryptor(key: bytes) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - on first use

    # Counter mode, of which ECB makes the key stream: clause 4.3.3 writes it so, and a cipher kept is nine times as
    # fast as a new one in CTR mode for each frame. No block comes twice under a key: the counter is in each.
    return Cipher(algorithms.AES(bytes(key)), modes.ECB()).encryptor().update  # noqa: S305 - see above


def _decrypted(crypt: Callable[[bytes], bytes], octets: bytes, start: bytes, address: bytes, f_cnt: int) -> bytes:
    size = len(octets)
    first = _BLOCK(start, address, f_cnt, 1)
    if size > _AES_BLOCK:
        blocks = (size + _AES_BLOCK - 1) // _AES_BLOCK
        first = b"".join([first[:-1] + _NUMBERS[number] for number in range(1, blocks + 1)])
    return (_number(octets, "big") ^ _number(crypt(first)[:size], "big")).to_bytes(size, "big")

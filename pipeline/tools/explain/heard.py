"""What a network says, as plain values."""

from __future__ import annotations

from pipeline.core import times
from pipeline.core.errors import PayloadError
from pipeline.lorawan.phy_payload import JoinRequest, parse
from pipeline.lorawan.statistics import Outcome, RawLedger
from pipeline.sdk.dialect import Event, Frame
from pipeline.sdk.uplink import Names, Reception, Uplink
from pipeline.tools.explain.explanation import Gateway, Happening, RawFrame, Transmission

_VERDICTS = {
    Outcome.UPLINK: "the keys of a session in the registry fit its MIC, and have decrypted it",
    Outcome.MAC: "the keys of a session in the registry fit its MIC; it has no application data",
    Outcome.JOIN: "of a device in the registry; Headrace never answers, the network server does",
    Outcome.COPY: "another gateway has heard the same transmission: one uplink",
    Outcome.FOREIGN: "no session in the registry has its DevAddr; most likely somebody else's device",
    Outcome.FOREIGN_JOIN: "no device in the registry has its DevEUI; most likely somebody else's",
    Outcome.MIC_INVALID: "a session in the registry has its DevAddr, but no keys fit its MIC",
    Outcome.TOO_EXPENSIVE: "too many frames of its DevAddr wait already to be tried under the keys of its sessions",
    Outcome.CRC_INVALID: "the gateway says that its checksum is wrong",
    Outcome.FRAME_INVALID: "it is nothing that a LoRaWAN device sends",
}
"""What a frame can become in a worker that has just begun: counters of earlier frames are not asked."""


def transmission(uplink: Uplink) -> Transmission:
    """Return an uplink."""
    return Transmission(
        device=uplink.device,
        dev_addr=uplink.dev_addr,
        f_cnt=uplink.f_cnt,
        port=uplink.port,
        time=_time(uplink.time),
        payload=uplink.payload.hex(),
        decoded=uplink.fields,
        gateways=[_gateway(each) for each in uplink.receptions()],
        names=_names(uplink.names()),
        raw=uplink.raw,
    )


def frame(raw: Frame) -> RawFrame:
    """Return a frame."""
    return RawFrame(
        phy_payload=raw.phy_payload.hex(),
        frequency=raw.frequency,
        data_rate=raw.data_rate,
        crc_ok=raw.crc_ok,
        says=_says(raw.phy_payload),
        gateway=_gateway(raw.reception),
    )


def happening(event: Event) -> Happening:
    """Return an event."""
    return Happening(event.kind, event.device, event.gateway, _time(event.time), dict(event.state))


def verdicts(ledger: RawLedger) -> list[str]:
    """Return what became of the frames that were counted."""
    return [f"{each.value}: {_VERDICTS[each]}" for each in Outcome if ledger.outcomes[each] and each in _VERDICTS]


def _says(phy_payload: bytes) -> str:
    try:
        said = parse(phy_payload)
    except PayloadError as refusal:
        return f"nothing: {refusal}"
    if isinstance(said, JoinRequest):
        return f"{'join' if said.rejoin is None else 'rejoin'} request of DevEUI {said.dev_eui}"
    port = "no FPort" if said.port is None else f"FPort {said.port}"
    return f"data of DevAddr {said.dev_addr}, FCnt {said.f_cnt} (lower 16 bits), {port}, encrypted"


def _gateway(reception: Reception) -> Gateway:
    return Gateway(reception.gateway, reception.rssi, reception.snr)


def _names(names: Names) -> dict[str, str]:
    told = {
        "name": names.name,
        "brand": names.brand,
        "model": names.model,
        "profile": names.profile,
        "application": names.application,
    }
    return {what: name for what, name in told.items() if name} | {f"tag {key}": tag for key, tag in names.tags.items()}


def _time(ms: int | None) -> str | None:
    return None if ms is None else times.text(ms).decode()

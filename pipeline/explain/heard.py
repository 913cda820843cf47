"""What a network says, as plain values."""

from __future__ import annotations

from pipeline import times
from pipeline.dialect import Event, Frame
from pipeline.explain.explanation import Gateway, Happening, RawFrame, Transmission
from pipeline.uplink import Names, Reception, Uplink


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
    return RawFrame(raw.phy_payload.hex(), raw.frequency, raw.data_rate, raw.crc_ok, _gateway(raw.reception))


def happening(event: Event) -> Happening:
    """Return an event."""
    return Happening(event.kind, event.device, event.gateway, _time(event.time), dict(event.state))


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

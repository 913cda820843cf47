"""How well gateways heard what a network server tells of: a sample of it, for the metrics of radio.

Of frames straight from gateways every reception is counted (ledger.py). A server names the receptions of an uplink in
a form that is read only when somebody asks; so the first uplinks of each second are asked, of a small city all.
"""

from __future__ import annotations

from time import monotonic

from pipeline.core.delivery import Batch, Stage
from pipeline.lorawan.statistics import RSSI_BOUNDS, SNR_BOUNDS, Spread
from pipeline.lorawan.unwrap import Heard

_EACH = 1.0  # seconds
_MOST = 32  # uplinks of a batch, in less than a tenth of a millisecond


class Radio:
    """The receptions of one feed. rssi: dBm. snr: dB."""

    def __init__(self) -> None:
        self.rssi = Spread(RSSI_BOUNDS)
        self.snr = Spread(SNR_BOUNDS)


class Overheard(Stage[Heard]):
    """Before the stage of uplinks. radio: where what is sampled goes."""

    def __init__(self, out: Stage[Heard], radio: Radio) -> None:
        self._out, self._radio = out, radio
        self._next = 0.0

    def put(self, batch: Batch[Heard]) -> None:
        """Pass the batch on, and look at how it was heard if that is due."""
        now = monotonic()
        if now >= self._next:
            self._next = now + _EACH
            self._look(batch)
        self._out.put(batch)

    def _look(self, batch: Batch[Heard]) -> None:
        for uplink, _ in batch.items[:_MOST]:
            if uplink.raw:  # its receptions were counted when they came
                continue
            try:
                receptions = uplink.receptions()
            except Exception:  # noqa: BLE001, S112 - whoever makes its record says what is wrong with it
                continue
            self._radio.rssi.add([each.rssi for each in receptions])
            self._radio.snr.add([each.snr for each in receptions])

    def kept(self) -> int:
        """Nothing stays here."""
        return self._out.kept()

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""
        await self._out.drain(deadline)

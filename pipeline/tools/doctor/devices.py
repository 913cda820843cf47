"""What is missing in the device registry, and how well the connectors in use are proved."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pipeline.config import Loaded
from pipeline.config.device_text import is_csv
from pipeline.config.root import Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.conformance import prove
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.lorawan.session_table import place_of
from pipeline.plugins.registry import FoundConnector
from pipeline.tools.doctor.finding import Judgement

_SHOWN = 5


def judge(loaded: Loaded, counters: Collection[str] | None) -> Iterator[Judgement]:
    """Yield the holes of the registry; then the level of each connector.

    Args:
        counters: As `devices` has them.
    """
    config = loaded.config
    if config.devices is not None:
        yield from devices(config, loaded.devices, counters)
    for found in _used(config, loaded.devices):
        yield level(found)


def devices(config: Config, registered: DeviceRegistry, counters: Collection[str] | None) -> Iterator[Judgement]:
    """Yield what is missing.

    Args:
        counters: Sessions with a frame counter in the state folder, None where it is held.
    """
    csv = is_csv(str(config.devices))
    place = "the columns longitude, latitude" if csv else "location: [lon, lat]"
    decoder = "vendor/x in the column connector" if csv else "connector: vendor/x"
    holes = [
        *_hole(config, [each for each in registered if _placeless(config, each)], "location", place),
        *_hole(config, [each for each in registered if _speechless(config, each)], "connector", decoder),
        *_shared(config, registered),
        *_uncounted(config, registered, counters),
    ]
    yield from holes
    if not any(each.severity == "warning" for each in holes):
        yield Judgement("devices", "ok", f"{len(registered):,} devices, each with what it needs.", ("devices",))


def _hole(config: Config, found: Sequence[Device], lack: str, change: str) -> Iterator[Judgement]:
    if not found:
        return
    said = f"{_some([each.key for each in found])}: no {lack}, and nothing else says it."
    yield Judgement(f"devices.{lack}", "warning", said, change=change, file=config.devices, line=found[0].line)


def _placeless(config: Config, device: Device) -> bool:
    """Say whether neither the registry nor the connector knows where a device is; one without a connector is not."""
    if device.location is not None or device.connector is None:
        return False
    named = config.connectors.get(device.connector)
    if named is not None and named.location is not None:
        return False
    vendor = named.connector if isinstance(named, UsedConnectorConfig) else None
    found = config.found.get(device.connector)
    connector = vendor or (None if found is None else found.connector)
    return connector is None or connector.place is None


def _speechless(config: Config, device: Device) -> bool:
    return config.networked and device.connector is None and bool(device.dev_eui or device.sessions)


def _shared(config: Config, registered: DeviceRegistry) -> Iterator[Judgement]:
    addresses = {session.dev_addr: device for device in registered for session in device.sessions}
    shared = sorted(each for each in addresses if len(registered.sessions(each)) > 1)
    if shared:
        named = [f"{each} ({', '.join(d.key for d, _ in registered.sessions(each))})" for each in shared]
        said = f"DevAddr {_some(named)}: of several devices. LoRaWAN allows it; each frame's MIC is tried for all."
        at = addresses[shared[0]].line
        yield Judgement("devices.dev_addr", "info", said, file=config.devices, line=at)


def _uncounted(config: Config, registered: DeviceRegistry, counters: Collection[str] | None) -> Iterator[Judgement]:
    sessions = [(device, session) for device in registered for session in device.sessions]
    if not sessions:
        return
    if counters is None:
        said = "frame counters of sessions are unknown: a worker holds the state, or there is none yet."
        yield Judgement("devices.counters", "info", said, ("state_dir",))
        return
    without = [device for device, session in sessions if place_of(session) not in counters]
    if without:
        said = f"{_some([each.key for each in without])}: a session of which no frame was ever accepted here."
        yield Judgement("devices.counters", "info", said, file=config.devices, line=without[0].line)


def _used(config: Config, registered: DeviceRegistry) -> list[FoundConnector]:
    names = {each.use for each in config.connectors.values() if isinstance(each, UsedConnectorConfig)}
    names |= {each.connector for each in registered if each.connector is not None}
    found = {id(each.connector): each for name in sorted(names) if (each := config.found.get(name)) is not None}
    return list(found.values())


def level(found: FoundConnector) -> Judgement:
    """Prove one connector, and say how far it comes."""
    proof = prove(found)
    said = f"{found.names[0]}: level {proof.level}"
    asked = [*map(str, proof.faults), *proof.missing]
    if proof.level == "broken":
        text = f"{said}: {asked[0] if asked else ''}"
        return Judgement("connectors.level", "critical", text, file=found.file, line=found.line, change="Mend it.")
    if proof.level == "draft":
        return Judgement("connectors.level", "warning", f"{said}.", file=found.file, line=found.line, change=asked[0])
    return Judgement("connectors.level", "ok", f"{said}.", file=found.file, line=found.line)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")

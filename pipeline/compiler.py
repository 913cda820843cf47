"""Connectors compiled for one feed: into plans, and fans of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.binding import Binding, Fields, FromField, Path, Source
from pipeline.config import inline, vendors
from pipeline.config.connectors import InlineConnector
from pipeline.config.formats import formats
from pipeline.config.root import Config
from pipeline.config.used import DEVICE, DEVICE_MODEL, UsedConnector
from pipeline.config.values import field_path
from pipeline.connector import Decoded
from pipeline.device_state import SIGNAL, STATE, DeviceStates
from pipeline.directory import Directory
from pipeline.errors import PayloadError, Reason
from pipeline.fan_out import Fan
from pipeline.message import Message
from pipeline.models import MODELS
from pipeline.models.device import controlled_properties
from pipeline.plan import Plan, Terms
from pipeline.slot import slots_of
from pipeline.store import Store
from pipeline.uplink import Uplink

_INTERVAL = 3600.0  # seconds, as `device_interval` of a vendor's connector
_BY_EUI = FromField(Path("the DevEUI", ()))  # an uplink says itself whose it is

_TOLD: Mapping[str, Source] = {
    "batteryLevel": Source(Path("batteryLevel", (STATE, "batteryLevel")), "1"),
    "deviceState": Source(Path("deviceState", (STATE, "deviceState"))),
    "rssi": Source(Path("rssi", (STATE, SIGNAL)), "dBm"),
}
"""What a network tells of a device's state; what the device tells itself goes before it."""


class Compiler:
    """Compiles for one feed. store: what keeps the states of devices. directory: who devices are."""

    def __init__(
        self, config: Config, feed: str, *, store: Store | None = None, directory: Directory | None = None
    ) -> None:
        self._config = config
        self._feed = feed
        self._store = store or Store(None)
        self.directory = directory or Directory(config.registered)
        self._fans: dict[tuple[str, str | None], Fan] = {}

    def plan(self, name: str) -> Plan:
        """Return the plan of a connector under `connectors`; of a vendor's, its first observation's, to look at."""
        declared = self._config.connectors[name]
        if isinstance(declared, UsedConnector):
            fan = self.fan(declared)
            first = fan.plans[0].binding
            return self._plan(replace(first, decode=lambda payload: fan.readings(Message("", payload, 0))[0]))
        return self._plan(inline.build(name, declared, MODELS[declared.model]))

    def fan(self, used: UsedConnector) -> Fan:
        """Return the plans of a vendor's connector, for messages of routes."""
        device = vendors.device_binding(used, MODELS)
        return Fan(
            decode=vendors.declared(used).decode,
            plans=tuple(self._plan(binding) for binding in vendors.bindings(used, MODELS)),
            envelope=vendors.envelope(used),
            device=None if device is None else self._plan(device),
            states=None if device is None else self._states(used),
            family=None if device is None else self._plan(vendors.family_binding(used)),
        )

    def uplink_fan(self, name: str, model: str | None = None) -> Fan:
        """Return the plans of a connector, for uplinks of a network; compiled once.

        name: under `connectors`, or `vendor/device`. model: in place of the connector's first.

        Raises:
            PayloadError: there is no such connector (`connector_unknown`).
        """
        place = name, model
        if place not in self._fans:
            self._fans[place] = self._uplink_fan(name, model)
        return self._fans[place]

    def _uplink_fan(self, name: str, model: str | None) -> Fan:
        declared = self._config.connectors.get(name) or self._found(name)
        if isinstance(declared, InlineConnector):
            bindings = [inline.build(name, declared, MODELS[declared.model])]
            decode: Callable[[Uplink], Decoded] = _decoded_by_server
            device, family, states = None, None, DeviceStates({}, _INTERVAL, self._store)
        else:
            bindings = vendors.bindings(declared, MODELS)
            decode, device = vendors.declared(declared).decode, vendors.device_binding(declared, MODELS)
            family, states = self._plan(vendors.family_binding(declared)), self._states(declared)
        if model is not None:
            bindings[0] = replace(bindings[0], model=model)
        bindings = [replace(each, device=_BY_EUI) for each in bindings]
        return Fan(
            decode=decode,
            plans=tuple(self._plan(each) for each in bindings),
            device=self._plan(_with_network(device, bindings)),
            states=states,
            family=family,
        )

    def _found(self, name: str) -> UsedConnector:
        if self._config.found.get(name) is None:
            raise PayloadError(f"There is no connector {name}.", Reason.CONNECTOR_UNKNOWN)
        entry = {"use": name, "device": {"field": "device"}}
        return UsedConnector.model_validate(entry, context={"registry": self._config.found})

    def _states(self, used: UsedConnector) -> DeviceStates:
        told = vendors.declared(used).device
        paths = {name: field_path(each.field) for name, each in told.items()}
        return DeviceStates(paths, used.device_interval, self._store)

    def _plan(self, binding: Binding) -> Plan:
        model = MODELS[binding.model]
        stream = self._config.stream(model.name)
        plan = Plan(
            binding=binding,
            model=model,
            slots=slots_of(binding, model),
            tenant=self._config.tenant,
            feed=self._feed,
            topic=self._config.topic(model.name),
            terms=Terms(stream.classification, stream.licence),
            lookup=self.directory.find,
        )
        self.directory.on_change(plan.forget)
        return plan


def format_fan(plan: Plan, name: str) -> Fan:
    """Return what makes the records of an inline connector whose payloads are of another format than JSON."""
    return Fan(decode=formats()[name].decode, plans=(plan,))


def _decoded_by_server(uplink: Uplink) -> Fields:
    if uplink.fields is None:
        detail = "Expected what the network server has decoded: the connector has no decoder, and there is nothing."
        raise PayloadError(detail, Reason.NOTHING_MEASURED)
    return uplink.fields


def _with_network(own: Binding | None, bindings: list[Binding]) -> Binding:
    """Return the binding of the Device entity: what the device tells itself, and what its network tells of it."""
    if own is not None:
        return replace(own, device=_BY_EUI, attributes={**_TOLD, **own.attributes})
    first = bindings[0]
    mapped = [attribute for each in bindings for attribute in each.attributes]
    return Binding(
        name=first.name,
        version=first.version,
        model=DEVICE,
        device=_BY_EUI,
        attributes=_TOLD,
        located=False,
        stated={"controlledProperty": list(controlled_properties(mapped))},
        related={} if "/" not in first.name else {"refDeviceModel": (DEVICE_MODEL, first.name)},
    )


def connectors_of(config: Config) -> list[str]:
    """Return the names of all connectors that an uplink's device may have."""
    return [*config.connectors, *config.found.names]

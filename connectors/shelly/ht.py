"""Shelly Plus H&T and H&T Gen3: temperature and humidity of a room, over Wi-Fi.

Reference: https://shelly-api-docs.shelly.cloud/gen2/Devices/Gen2/ShellyPlusHT. The device wakes, sends its whole state
as `NotifyFullStatus` to `<id>/events/rpc`, and sleeps. Its clock may not be set when it does, so that a reading has the
time of its arrival. On USB the battery reads 0 %, which is left out. A `NotifyStatus` holds what has changed only.
"""

import json
from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Uplink

METHODS = ("NotifyFullStatus", "NotifyStatus")


def decode(uplink: Uplink) -> dict[str, Any]:
    """Return what the notification says."""
    message = uplink.json()
    if not isinstance(message, dict) or message.get("method") not in METHODS:
        raise PayloadError(f"expected an object whose `method` is {' or '.join(METHODS)}")
    status = message.get("params")
    if not isinstance(status, dict):
        raise PayloadError(f"expected an object in `params`, got {said(status)}")
    power = part(status, "devicepower:0")
    fields = {
        "temperature": part(status, "temperature:0").get("tC"),
        "humidity": part(status, "humidity:0").get("rh"),
        "signal": part(status, "wifi").get("rssi"),
        "battery": None if part(power, "external").get("present") else part(power, "battery").get("percent"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def part(status: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a part of the state, empty where it is not sent."""
    found = status.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise PayloadError(f"expected an object in `{name}`, got {said(found)}")
    return found


def said(value: object) -> str:
    """Return a value for a sentence; of a list, which may be very long, only that it is one."""
    return "a list" if isinstance(value, list) else json.dumps(value)[:60]


connector = Connector(
    vendor="shelly",
    devices=("plus-ht", "ht-gen3"),
    owner="@headrace",
    decode=decode,
    model="IndoorEnvironmentObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
    },
    device={"batteryLevel": Attribute("battery", unit="%"), "rssi": Attribute("signal", unit="dBm")},
    examples=(
        Example(
            "on USB",
            text='{"src":"shellyplusht-c049ef8bc088","dst":"shellyplusht-c049ef8bc088/events",'
            '"method":"NotifyFullStatus","params":{"ts":1669541352.21,"ble":{},"cloud":{"connected":false},'
            '"devicepower:0":{"id": 0,"battery":{"V":0.43, "percent":0},"external":{"present":true}},"ht_ui":{},'
            '"humidity:0":{"id": 0,"rh":57.6},"mqtt":{"connected":true},"temperature:0":{"id": 0,"tC":19.0, "tF":66.2},'
            '"wifi":{"sta_ip":"192.168.1.43","status":"got ip","ssid":"MyWifi","rssi":-60},"ws":{"connected":false}}}',
            expect={
                "IndoorEnvironmentObserved": {"temperature": 19.0, "relativeHumidity": 0.576},
                "Device": {"rssi": -60.0},
            },
            source="https://github.com/enesbcs/Shelly_MQTT/pull/99, without `sys`",
        ),
        Example(
            "a clock that is set",
            text='{"src":"shellyplusht-08b61fcb75b8","dst":"SH-ShellyPHT-002/events","method":"NotifyFullStatus",'
            '"params":{"ts":1701105095.28,"ble":{},"cloud":{"connected":true},"devicepower:0":{"id": 0,'
            '"battery":{"V":0.43, "percent":0},"external":{"present":true}},"ht_ui":{},'
            '"humidity:0":{"id": 0,"rh":43.8},"mqtt":{"connected":true},"temperature:0":{"id": 0,"tC":21.6, "tF":70.9},'
            '"wifi":{"sta_ip":"192.168.102.182","status":"got ip","ssid":"WLAN-FH","rssi":-47}}}',
            expect={"temperature": 21.6, "relativeHumidity": 0.438},
            source="https://github.com/iobroker-community-adapters/ioBroker.shelly/issues/896, without `sys`",
        ),
        Example(
            "a change that is no reading",
            text='{"src":"shellyplusht-08b61fcb75b8","dst":"SH-ShellyPHT-002/events","method":"NotifyStatus",'
            '"params":{"ts":1701105095.28,"mqtt":{"connected":true}}}',
            expect={},
            source="https://github.com/iobroker-community-adapters/ioBroker.shelly/issues/896",
        ),
        Example("an answer to a call", json={"id": 1, "src": "shellyplusht-1", "result": {}}, expect=PayloadError),
        Example("cut", text='{"src":"shellyplusht-c049ef8bc088","meth', expect=PayloadError),
    ),
)

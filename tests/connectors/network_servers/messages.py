"""One transmission as each network server tells it, and what else each of them tells: shapes of their documentation."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.sdk.dialect import Dialect, Event, Said
from pipeline.sdk.uplink import Uplink

DEVICE = "0011223344556677"
PAYLOAD = bytes.fromhex("02300040a0")
PORT = 2
F_CNT = 53
DEV_ADDR = "04d2848e"
TIME = 1702393518519
ARRIVAL = 1702393519000
GATEWAY = "7276ff0039030436"

UPLINKS: dict[str, tuple[str, dict[str, Any]]] = {
    "chirpstack": (
        "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/0011223344556677/event/up",
        {
            "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
            "time": "2023-12-12T15:05:18.519281398+00:00",
            "deviceInfo": {
                "applicationId": "17c82e96-be03-4f38-aef3-f83d48582d97",
                "applicationName": "air",
                "deviceProfileName": "th-1",
                "deviceName": "th-17",
                "devEui": "0011223344556677",
                "tags": {"room": "12"},
            },
            "devAddr": "04d2848e",
            "adr": True,
            "dr": 5,
            "fCnt": 53,
            "fPort": 2,
            "confirmed": False,
            "data": "AjAAQKA=",
            "rxInfo": [{"gatewayId": "7276ff0039030436", "uplinkId": 4217106255, "rssi": -83, "snr": 9.5}],
            "txInfo": {"frequency": 868100000, "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7}}},
        },
    ),
    "chirpstack_v3": (
        "application/1/device/0011223344556677/event/up",
        {
            "applicationID": "1",
            "applicationName": "air",
            "deviceName": "th-17",
            "deviceProfileName": "th-1",
            "devEUI": "0011223344556677",
            "rxInfo": [
                {
                    "gatewayID": "7276ff0039030436",
                    "uplinkID": "e3ea4ba9-2eab-47a4-8b32-5cd5b0bf7b4f",
                    "name": "roof",
                    "time": "2023-12-12T15:05:18.519281Z",
                    "rssi": -83,
                    "loRaSNR": 9.5,
                    "location": {"latitude": 48.933865, "longitude": 1.195898, "altitude": 0},
                }
            ],
            "txInfo": {"frequency": 868100000, "dr": 5},
            "adr": True,
            "fCnt": 53,
            "fPort": 2,
            "data": "AjAAQKA=",
        },
    ),
    "the_things_stack": (
        "v3/app@tenant/devices/th-17/up",
        {
            "end_device_ids": {
                "device_id": "th-17",
                "application_ids": {"application_id": "air"},
                "dev_eui": "0011223344556677",
                "dev_addr": "04D2848E",
            },
            "received_at": "2023-12-12T15:05:18.720Z",
            "uplink_message": {
                "f_port": 2,
                "f_cnt": 53,
                "frm_payload": "AjAAQKA=",
                "rx_metadata": [
                    {
                        "gateway_ids": {"gateway_id": "roof", "eui": "7276FF0039030436"},
                        "time": "2023-12-12T15:05:18.510Z",
                        "rssi": -83,
                        "snr": 9.5,
                    }
                ],
                "settings": {
                    "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}},
                    "frequency": "868100000",
                },
                "version_ids": {"brand_id": "acme", "model_id": "th-1"},
                "received_at": "2023-12-12T15:05:18.519281398Z",
            },
        },
    ),
    "helium": (
        "helium/3c822699-37fd-4df6-a84d-93037a450843/rx",
        {
            "app_eui": "6948A4B59F4666AD",
            "dev_eui": "0011223344556677",
            "devaddr": "04D2848E",
            "fcnt": 53,
            "hotspots": [
                {
                    "frequency": 868.0999755859375,
                    "id": "11KHJW1ePkfhLYptMwKyDzn4opLc62daahbi35uxhH3wwi7p6xr",
                    "name": "icy-fiery-hippo",
                    "reported_at": 1702393518519,
                    "rssi": -83,
                    "snr": 9.5,
                    "spreading": "SF7BW125",
                    "status": "success",
                    "lat": 48.933865,
                    "long": 1.195898,
                }
            ],
            "id": "7c523974-4ce7-4a92-948b-55171a6e4d77",
            "metadata": {"labels": [{"id": "7d11aef4", "name": "air", "organization_id": "d724b93a"}]},
            "name": "th-17",
            "payload": "AjAAQKA=",
            "port": 2,
            "reported_at": 1702393518519,
        },
    ),
    "thingpark": (
        "mqtt/things/0011223344556677/uplink",
        {
            "DevEUI_uplink": {
                "Time": "2023-12-12T16:05:18.519+01:00",
                "DevEUI": "0011223344556677",
                "FPort": "2",
                "FCntUp": "53",
                "FCntDn": "54",
                "ADRbit": "1",
                "payload_hex": "02300040a0",
                "LrrRSSI": "-83.000000",
                "LrrSNR": "9.500000",
                "Lrrid": "3C200E92",
                "LrrLAT": "48.933865",
                "LrrLON": "1.195898",
                "Lrrs": {"Lrr": {"Lrrid": "3C200E92", "Chain": "0", "LrrRSSI": "-83.000000", "LrrSNR": "9.500000"}},
                "DevAddr": "04D2848E",
                "Frequency": "868.1",
                "CustomerID": "199983788",
                "CustomerData": {"alr": {"pro": "ABEE/APY", "ver": "1"}, "name": "th-17"},
                "DriverCfg": {"app": {"pId": "acme", "mId": "th-1", "ver": "1"}},
            }
        },
    ),
    "loriot": (
        "loriot/app/rx",
        {
            "cmd": "gw",
            "seqno": 1,
            "EUI": "0011223344556677",
            "ts": 1702393518519,
            "fcnt": 53,
            "port": 2,
            "freq": 868100000,
            "toa": 61,
            "dr": "SF7 BW125 4/5",
            "ack": False,
            "gws": [
                {
                    "rssi": -83,
                    "snr": 9.5,
                    "ts": 1702393518519,
                    "time": "2023-12-12T15:05:18.519Z",
                    "gweui": "7276FF0039030436",
                    "ant": 0,
                    "lat": 48.933865,
                    "lon": 1.195898,
                }
            ],
            "bat": 254,
            "data": "02300040a0",
        },
    ),
    "aws_iot": (
        "lorawan/uplinks",
        {
            "WirelessDeviceId": "5b58245e-146c-4c30-9703-0ca942e3ff35",
            "PayloadData": "AjAAQKA=",
            "WirelessMetadata": {
                "LoRaWAN": {
                    "ADR": False,
                    "DataRate": "5",
                    "DevAddr": "04d2848e",
                    "DevEui": "0011223344556677",
                    "FCnt": 53,
                    "FPort": 2,
                    "Frequency": "868100000",
                    "Gateways": [{"GatewayEui": "7276ff0039030436", "Snr": 9.5, "Rssi": -83}],
                    "PublicGateways": [{"ProviderNetId": "000013", "Id": "pg-1", "Rssi": -99, "Snr": 1}],
                    "Timestamp": "2023-12-12T15:05:18.519Z",
                }
            },
        },
    ),
    "milesight_gateway": (
        "milesight/uplink/0011223344556677",
        {
            "applicationID": 1,
            "applicationName": "server1",
            "devEUI": "0011223344556677",
            "devAddr": "04d2848e",
            "deviceID": 22,
            "deviceName": "th-17",
            "fCnt": 53,
            "fPort": 2,
            "gatewaySN": "6438F39254820003",
            "gatewayTime": "2023-12-12T16:05:18+01:00",
            "data": "AjAAQKA=",
            "rxInfo": [
                {
                    "altitude": 0,
                    "latitude": 0,
                    "loRaSNR": 9.5,
                    "longitude": 0,
                    "mac": "7276ff0039030436",
                    "name": "Local Gateway",
                    "rssi": -83,
                    "time": "2023-12-12T15:05:18.519398Z",
                }
            ],
            "time": "2023-12-12T15:05:18.519398Z",
            "txInfo": {
                "adr": True,
                "codeRate": "4/5",
                "dataRate": {"bandwidth": 125, "modulation": "LORA", "spreadFactor": 7},
                "frequency": 868100000,
            },
        },
    ),
    "wanesy": (
        "wanesy/dataUp",
        {
            "id": "657876ae19777400015364f1",
            "endDevice": {"devEui": "0011223344556677", "devAddr": "04D2848E", "cluster": {"id": 359}},
            "payload": "02300040a0",
            "fPort": 2,
            "fCntUp": 53,
            "fCntDown": 54,
            "ulFrequency": 868.1,
            "dataRate": "SF7BW125",
            "recvTime": 1702393518519,
            "adr": True,
            "delayed": False,
            "encrypted": False,
            "encodingType": "HEXA",
            "gwInfo": [
                {
                    "gwEui": "7276FF0039030436",
                    "rssi": -83,
                    "snr": 9.5,
                    "latitude": 48.933865,
                    "longitude": 1.195898,
                    "altitude": None,
                }
            ],
            "gwCnt": 1,
        },
    ),
    "tektelic": (
        "integrations/v1/f8c1b0e0/0011223344556677/uplink",
        {
            "data": {"temperature": 21.5},
            "errors": [],
            "warnings": [],
            "bytes": [2, 48, 0, 64, 160],
            "tektelicMetadata": {
                "applicationName": "air",
                "deviceEui": "0011223344556677",
                "deviceName": "th-17",
                "deviceModelName": "th-1",
                "fPort": 2,
                "fCntUp": 53,
                "recvTime": 1702393518519,
                "devAddr": "04d2848e",
                "uLFreq": 868100000,
                "gatewayRxInfo": [
                    {"gwEui": "7276FF0039030436", "rssi": -83, "snr": 9.5, "lat": 48.9, "lon": 1.1, "alt": 10.0}
                ],
            },
        },
    ),
    "multitech": (
        "lorawan/8ffa106f-c751-cfcd-6300-80918d516837/6c-4e-ef-66-f4-79-86-a6/00-11-22-33-44-55-66-77/up",
        {
            "tmst": 174882291,
            "chan": 0,
            "freq": 868.1,
            "modu": "LORA",
            "datr": "SF7BW125",
            "codr": "4/5",
            "lsnr": 9.5,
            "rssi": -83,
            "size": 5,
            "fcnt": 53,
            "port": 2,
            "mhdr": "408e84d204803500",
            "data": "AjAAQKA=",
            "appeui": "6c-4e-ef-66-f4-79-86-a6",
            "joineui": "6c-4e-ef-66-f4-79-86-a6",
            "deveui": "00-11-22-33-44-55-66-77",
            "devaddr": "04d2848e",
            "ack": False,
            "adr": True,
            "gweui": "72-76-ff-00-39-03-04-36",
            "seqn": 53,
            "time": "2023-12-12T15:05:18.519281Z",
        },
    ),
    "live_objects": (
        "fifo/headrace",
        {
            "metadata": {
                "connector": "lora",
                "source": "urn:lo:nsid:lora:0011223344556677",
                "group": {"path": "/", "id": "root"},
                "network": {
                    "lora": {
                        "signalLevel": 3,
                        "rssi": -83,
                        "gatewayCnt": 2,
                        "esp": -86.01,
                        "sf": 7,
                        "messageType": "UNCONFIRMED_DATA_UP",
                        "port": 2,
                        "snr": 9.5,
                        "ack": False,
                        "location": {"alt": 0, "accuracy": 10000, "lon": 1.195898, "lat": 48.933865},
                        "fcnt": 53,
                        "devEUI": "0011223344556677",
                    }
                },
            },
            "streamId": "urn:lo:nsid:lora:0011223344556677",
            "created": "2023-12-12T15:05:19.996Z",
            "extra": {},
            "location": {"provider": "lora", "alt": 0, "accuracy": 10000, "lon": 1.195898, "lat": 48.933865},
            "model": "lora_v0",
            "id": "5e84b188b112b25b2cb6d638",
            "value": {"payload": "02300040a0"},
            "timestamp": "2023-12-12T15:05:18.519Z",
            "tags": ["street"],
        },
    ),
}


def say(dialect: Dialect, topic: str, message: Any) -> Said:
    """Read a message that says one thing."""
    payload = message if isinstance(message, bytes) else orjson.dumps(message)
    [said] = dialect.reader(topic)(payload, ARRIVAL)
    return said


def uplink(dialect: Dialect, topic: str, message: Any) -> Uplink:
    said = say(dialect, topic, message)
    assert isinstance(said, Uplink), said
    return said


def event(dialect: Dialect, topic: str, message: Any) -> Event:
    said = say(dialect, topic, message)
    assert isinstance(said, Event), said
    return said


def changed(name: str, path: str = "", **values: Any) -> tuple[str, dict[str, Any]]:
    """Return the dialect's uplink with values set in the object at `path` (a.b); `...` takes one away."""
    topic, message = UPLINKS[name]
    copy: dict[str, Any] = orjson.loads(orjson.dumps(message))
    place = copy
    for step in path.split(".") if path else ():
        place = place[step]
    for key, value in values.items():
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return topic, copy

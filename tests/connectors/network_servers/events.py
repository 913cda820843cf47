"""What network servers tell beside uplinks, in the shapes of their documentation."""

from __future__ import annotations

from typing import Any

from tests.connectors.network_servers.messages import DEVICE, TIME

EVENTS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "chirpstack": tuple(
        (f"application/17c82e96/device/{DEVICE}/event/{kind}", {"deviceInfo": {"devEui": DEVICE}, **told})
        for kind, told in (
            ("join", {"devAddr": "04d2848e"}),
            ("status", {"margin": 7, "batteryLevel": 50.0}),
            ("ack", {"queueItemId": "1bbcab1d", "acknowledged": True}),
            ("txack", {"downlinkId": 5, "gatewayId": "7276ff0039030436"}),
            ("log", {"level": "WARNING", "code": "UPLINK_F_CNT_RESET"}),
            ("location", {"location": {"latitude": 48.9, "longitude": 1.1}}),
            ("integration", {"integrationName": "loracloud", "object": {"a": None}}),
        )
    ),
    "chirpstack_v3": tuple(
        (f"application/1/device/{DEVICE}/event/{kind}", {"applicationID": "1", "devEUI": DEVICE, **told})
        for kind, told in (
            ("join", {"devAddr": "04d2848e"}),
            ("status", {"margin": 7, "externalPowerSource": True, "batteryLevel": 0}),
            ("ack", {"acknowledged": False, "fCnt": 3}),
            ("txack", {"fCnt": 3}),
            ("error", {"type": "UPLINK_FCNT_RESET", "error": "frame-counter reset"}),
            ("location", {"location": {"latitude": 48.9, "longitude": 1.1, "altitude": 0}}),
        )
    ),
    "the_things_stack": tuple(
        (
            f"v3/app@tenant/devices/th-17/{level}",
            {"end_device_ids": {"dev_eui": DEVICE, "application_ids": {"application_id": "air"}}, key: {"f_cnt": 3}},
        )
        for level, key in (
            ("join", "join_accept"),
            ("down/queued", "downlink_queued"),
            ("down/sent", "downlink_sent"),
            ("down/ack", "downlink_ack"),
            ("down/nack", "downlink_nack"),
            ("down/failed", "downlink_failed"),
            ("service/data", "service_data"),
            ("location/solved", "location_solved"),
        )
    ),
    "helium": (
        (
            "helium/x/rx",
            {"type": "join", "dev_eui": DEVICE, "fcnt": 0, "hotspots": [], "reported_at": TIME, "name": "th-17"},
        ),
    ),
    "thingpark": (
        (
            "t",
            {
                "DevEUI_location": {
                    "DevEUI": DEVICE,
                    "DevAddr": "04D2848E",
                    "Time": "2023-12-12T16:05:18.519+01:00",
                    "DevLAT": "51.907218",
                    "DevLON": "4.489303",
                    "DevAlt": "0.000000",
                    "DevLocRadius": "30.0",
                }
            },
        ),
        (
            "t",
            {
                "DevEUI_notification": {
                    "Time": "2023-12-12T16:05:18.519+01:00",
                    "DevEUI": DEVICE,
                    "Type": "join",
                    "Var1": "c0ffee",
                }
            },
        ),
        ("t", {"DevEUI_notification": {"DevEUI": DEVICE, "Type": "devstatusans", "Var1": "127", "Var2": "-7"}}),
        ("t", {"DevEUI_notification": {"DevEUI": DEVICE, "Type": "reset", "Var1": "admin_reset"}}),
        ("t", {"DevEUI_downlink_Sent": {"DevEUI": DEVICE, "DeliveryStatus": 1, "FCntDn": 24}}),
        ("t", {"DevEUI_downlink_Sent": {"DevEUI": DEVICE, "DeliveryStatus": "0", "DeliveryFailedCause1": "E3"}}),
        ("t", {"DevEUI_downlink_Rejected": {"DevEUI": DEVICE}}),
        ("t", {"DevEUI_multicast_summary": {"DevEUI": DEVICE}}),
    ),
    "loriot": (
        ("l", {"cmd": "txd", "EUI": DEVICE, "seqdn": 3236, "seqq": 3236, "ts": TIME}),
        ("l", {"cmd": "tx", "EUI": DEVICE, "success": "Data enqueued"}),
        ("l", {"cmd": "tx", "EUI": DEVICE, "error": "Device does not exist"}),
        ("l", {"cmd": "cq", "EUI": DEVICE}),
    ),
    "aws_iot": (
        (
            "$aws/iotwireless/events/join/joined/lorawan/wireless_devices",
            {
                "eventId": "1",
                "eventType": "joined",
                "WirelessDeviceId": "5b58245e",
                "timestamp": "2023-12-12T15:05:18.519Z",
                "LoRaWAN": {"DevEui": DEVICE},
            },
        ),
        (
            "$aws/iotwireless/events/connection_status/disconnected/lorawan/wireless_gateways",
            {
                "eventId": "2",
                "eventType": "disconnected",
                "WirelessGatewayId": "37f0fc6e",
                "timestamp": "2023-12-12T15:05:18.519Z",
                "LoRaWAN": {"GatewayEui": "7276ff0039030436"},
            },
        ),
    ),
    "milesight_gateway": tuple(
        (
            "milesight/notification",
            {
                "applicationID": 1,
                "applicationName": "server1",
                "devEUI": DEVICE,
                "deviceName": "th-17",
                "gatewaySN": "6438F39254820003",
                "time": "2023-12-12T15:05:18Z",
                **told,
            },
        )
        for told in (
            {"status": "online", "devAddr": "0642fa41"},
            {"status": "offline"},
            {"acknowledged": True, "fcnt": 4996},
            {"error": "downlink error,device offline"},
            {"error": "mic"},
        )
    ),
    "wanesy": (
        ("w", {"dataDownId": "5e32", "event": "TRANSMITTED", "status": "OK", "endDevice": {"devEui": DEVICE}}),
        ("w", {"dataDownId": "5e32", "event": "TRANSMISSION", "status": "ERROR", "endDevice": {"devEui": DEVICE}}),
        ("w", {"dataDownId": "5e32", "event": "ACK", "status": "OK", "endDevice": {"devEui": DEVICE}}),
        ("w", {"endDevice": {"devEui": DEVICE}, "event": "join"}),
        ("w", {"endDevice": {"devEui": DEVICE}, "margin": 7}),
    ),
    "tektelic": (),
    "multitech": (
        (
            "lora/00-11-22-33-44-55-66-77/joined",
            {
                "joineui": "6c-4e-ef-66-f4-79-86-a6",
                "appeui": "6c-4e-ef-66-f4-79-86-a6",
                "gweui": "00-80",
            },
        ),
        ("lora/00-11-22-33-44-55-66-77/packet_sent", {"appeui": "6c", "gweui": "00-80"}),
        ("lora/00-11-22-33-44-55-66-77/packet_ack", {"appeui": "6c", "gweui": "00-80"}),
        (
            "lora/6c-4e-ef-66-f4-79-86-a6/00-11-22-33-44-55-66-77/moved",
            {"appeui": "6c", "gweui": "00-80"},
        ),
        (
            "lorawan/8ffa106f-c751-cfcd-6300-80918d516837/init",
            {"gateways_euis": ["00-80"], "time": "2023-12-12T15:05:18.519Z", "api_version": "1.1"},
        ),
    ),
    "live_objects": (
        (
            "fifo/headrace",
            {
                "streamId": "urn:lo:nsid:lora:0011223344556677",
                "timestamp": "2023-12-12T15:05:18.519Z",
                "metadata": {
                    "source": "urn:lo:nsid:lora:0011223344556677",
                    "network": {"lora": {"messageType": "JOIN_REQUEST"}},
                },
            },
        ),
    ),
}

"""LoRaWAN traffic for the generator: ChirpStack v4's uplink events, or frames as two gateway bridges publish them.

Uplink `i` is the same bytes for the same base_ts, and its time names it: `base_ts + i` milliseconds, as the server or a
gateway with GPS tells it. The devices take turns, so that the frame counter of each rises by one each round. Sizes and
fields are those of ChirpStack 4.20 without a codec (so without `object`), each uplink heard by two gateways.
"""

import random
import struct
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, Protocol

from connectors.network_servers.proto import chirpstack_gw_pb2 as gw
from connectors.network_servers.proto import chirpstack_integration_pb2 as integration
from tests.support.generator import BASE_TS, PACKET_IDS, RANGES, VARIANTS, remaining_length
from tests.support.lorawan import data_up, session

Kind = Literal["chirpstack-json", "chirpstack-protobuf", "raw"]

PORT = 2
GATEWAYS = ("a84041ffff1e0b02", "a84041ffff1e0a01")  # the first has GPS
GPS_AHEAD = 18 - 315_964_800  # seconds: GPS time counts from 1980 and has no leap seconds
APPLICATION = "d92a06fa-ab29-46b5-af19-d5c1ff2c6179"
DEDUPLICATION = "%08x-ee52-418c-b5df-0334d24c9418"
CHANNELS = tuple(range(867_100_000, 868_700_000, 200_000))
FIELDS = ("temperature", "humidity", "pm10", "pm25", "no2")
READING = struct.Struct(">hHHHH")

DEVICE_INFO = (
    f'{{"tenantId":"6ff36a4d-afeb-4365-8e57-3b8ec9f71be2","tenantName":"City","applicationId":"{APPLICATION}",'
    '"applicationName":"air-quality","deviceProfileId":"e56b0e21-a71e-44cd-8b1c-58ae86b4db76",'
    '"deviceProfileName":"lorabench-aq-5","deviceName":"%s","devEui":"%s","deviceClassEnabled":"CLASS_A",'
    '"tags":{"district":"north","profile":"abp"}}'
)
EVENT = (
    b'{"deduplicationId":"%b","time":"%b+00:00","deviceInfo":%b,"devAddr":"%b","adr":true,"dr":5,"fCnt":%d,"fPort":2,'
    b'"confirmed":false,"data":"%b","rxInfo":['
    b'{"gatewayId":"a84041ffff1e0b02","uplinkId":%d,"gwTime":"%b515+00:00","nsTime":"%b223490+00:00",'
    b'"timeSinceGpsEpoch":"%d.%03ds","rssi":%d,"snr":%.1f,"channel":2,'
    b'"location":{"latitude":52.3702,"longitude":4.8952,"altitude":3.0},"context":"7vxN+A==","crcStatus":"CRC_OK"},'
    b'{"gatewayId":"a84041ffff1e0a01","uplinkId":%d,"nsTime":"%b485994+00:00","rssi":%d,"snr":%.1f,"channel":2,'
    b'"location":{"latitude":52.3731,"longitude":4.8922,"altitude":12.0},"context":"7vxL0g==","crcStatus":"CRC_OK"}],'
    b'"txInfo":{"frequency":%d,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":7,"codeRate":"CR_4_5"}}},'
    b'"regionConfigId":"eu868"}'
)


class Network(Protocol):
    """Who tells of an uplink. copies: messages to an uplink."""

    copies: int

    def message(self, uplink: int, copy: int) -> tuple[str, bytes]: ...


class Fleet:
    """The devices and what they say: who sends uplink `i`, when, with which counter and bytes."""

    def __init__(self, devices: int, seed: int, base_ts: int) -> None:
        chance = random.Random(seed)
        self.devices, self.base_ts = devices, base_ts
        ranges = [RANGES[name] for name in FIELDS]
        drawn = ([round(chance.uniform(low, high) * 10) for low, high, _ in ranges] for _ in range(VARIANTS))
        self._payloads = [READING.pack(*values) for values in drawn]

    def number(self, uplink: int) -> int:
        return uplink % self.devices + 1

    def f_cnt(self, uplink: int) -> int:
        return uplink // self.devices

    def payload(self, uplink: int) -> bytes:
        return self._payloads[uplink * 2729 % VARIANTS]

    def seconds(self, uplink: int) -> tuple[int, int]:
        return divmod(self.base_ts + uplink, 1000)


def dev_eui(number: int) -> str:
    return f"70b3d57ed0{number:06x}"


def dev_addr(number: int) -> str:
    return f"01{number:06x}"


class ChirpStackJson:
    copies = 1

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        numbers = range(1, fleet.devices + 1)
        self._infos = [(DEVICE_INFO % (f"aq-{number:04d}", dev_eui(number))).encode() for number in numbers]

    def message(self, uplink: int, copy: int) -> tuple[str, bytes]:  # noqa: ARG002 - the shape of all
        fleet = self._fleet
        number, (seconds, ms) = fleet.number(uplink), fleet.seconds(uplink)
        time = b"%b.%03d" % (_text(seconds), ms)
        data = b64encode(fleet.payload(uplink))
        head = ((DEDUPLICATION % uplink).encode(), time, self._infos[number - 1], dev_addr(number).encode())
        token, rssi, snr = _signal(uplink)
        first = (token, time, time, seconds + GPS_AHEAD, ms, rssi, snr)
        second = (token ^ 1, time, rssi - 9, snr - 3)
        payload = EVENT % (*head, fleet.f_cnt(uplink), data, *first, *second, _channel(uplink))
        return _topic(number), payload


class ChirpStackProtobuf:
    copies = 1

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._events = [_event(number) for number in range(1, fleet.devices + 1)]

    def message(self, uplink: int, copy: int) -> tuple[str, bytes]:  # noqa: ARG002 - the shape of all
        fleet = self._fleet
        number, (seconds, ms) = fleet.number(uplink), fleet.seconds(uplink)
        token, rssi, snr = _signal(uplink)
        event = self._events[number - 1]
        event.deduplication_id = DEDUPLICATION % uplink
        event.time.seconds, event.time.nanos = seconds, ms * 1_000_000
        event.f_cnt, event.data = fleet.f_cnt(uplink), fleet.payload(uplink)
        event.tx_info.frequency = _channel(uplink)
        for heard, weaker in zip(event.rx_info, (0, 1), strict=True):
            heard.uplink_id, heard.rssi, heard.snr = token ^ weaker, rssi - 9 * weaker, snr - 3 * weaker
            heard.ns_time.seconds, heard.ns_time.nanos = seconds, ms * 1_000_000 + (223_490, 485_994)[weaker]
        _clock(event.rx_info[0], seconds, ms)
        return _topic(number), event.SerializeToString()


class Bridges:
    """Frames as a gateway bridge publishes them in protobuf: encrypted, with a MIC, one message from each gateway."""

    copies = 2

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._sessions = [session(dev_addr(number), number) for number in range(1, fleet.devices + 1)]
        self._frames = [_frame(gateway) for gateway in GATEWAYS]
        self._topics = [f"eu868/gateway/{gateway}/event/up" for gateway in GATEWAYS]
        self._phy = (-1, b"")

    def message(self, uplink: int, copy: int) -> tuple[str, bytes]:
        frame, (seconds, ms) = self._frames[copy], self._fleet.seconds(uplink)
        token, rssi, snr = _signal(uplink)
        frame.phy_payload, frame.tx_info.frequency = self._made(uplink), _channel(uplink)
        heard = frame.rx_info
        heard.uplink_id, heard.rssi, heard.snr = token ^ copy, rssi - 9 * copy, snr - 3 * copy
        if copy == 0:
            _clock(heard, seconds, ms)
        return self._topics[copy], frame.SerializeToString()

    def _made(self, uplink: int) -> bytes:
        if self._phy[0] != uplink:
            fleet = self._fleet
            keys = self._sessions[uplink % fleet.devices]
            self._phy = uplink, data_up(keys, fleet.f_cnt(uplink), fleet.payload(uplink), PORT)
        return self._phy[1]


KINDS: dict[Kind, type[ChirpStackJson | ChirpStackProtobuf | Bridges]] = {
    "chirpstack-json": ChirpStackJson,
    "chirpstack-protobuf": ChirpStackProtobuf,
    "raw": Bridges,
}


class Uplinks:
    """The MQTT messages of one kind. `copies` that follow each other tell of one uplink."""

    def __init__(self, kind: Kind, *, devices: int = 1000, seed: int = 0, base_ts: int = BASE_TS) -> None:
        self.fleet = Fleet(devices, seed, base_ts)
        self.network: Network = KINDS[kind](self.fleet)

    def key(self, index: int) -> tuple[str, int]:
        uplink = index // self.network.copies
        return dev_eui(self.fleet.number(uplink)), self.fleet.base_ts + uplink

    def messages(self, first: int, count: int) -> Iterator[tuple[str, bytes]]:
        copies = self.network.copies
        return (self.network.message(*divmod(index, copies)) for index in range(first, first + count))

    def frames(self, first: int, count: int) -> bytes:
        """PUBLISH frames of `count` messages, joined; the packet id follows from the index."""
        parts: list[bytes] = []
        for index, (topic, payload) in enumerate(self.messages(first, count), first):
            length = remaining_length(4 + len(topic) + len(payload))
            head = b"\x32" + length + struct.pack("!H", len(topic)) + topic.encode()
            parts += (head, struct.pack("!H", index % PACKET_IDS + 1), payload)
        return b"".join(parts)


def registry(connector: str, *, devices: int = 1000, sessions: bool = False) -> str:
    """Return a device registry in CSV: all devices with their places and, for raw frames, their keys."""
    chance = random.Random(0)
    header = "key,dev_eui,connector,longitude,latitude" + ",dev_addr,nwk_s_key,app_s_key" * sessions
    rows = [header]
    for number in range(1, devices + 1):
        place = f"{chance.uniform(4.75, 5.02):.5f},{chance.uniform(52.30, 52.43):.5f}"
        keys = session(dev_addr(number), number)
        secret = f",{keys.dev_addr},{bytes(keys.nwk_s_key).hex()},{bytes(keys.app_s_key).hex()}" * sessions
        rows.append(f"aq-{number:04d},{dev_eui(number)},{connector},{place}{secret}")
    return "\n".join(rows) + "\n"


@lru_cache(maxsize=16)
def _text(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def _topic(number: int) -> str:
    return f"application/{APPLICATION}/device/{dev_eui(number)}/event/up"


def _signal(uplink: int) -> tuple[int, int, float]:
    """Return token, RSSI and SNR, which differ from uplink to uplink."""
    return uplink * 7919 & 0xFFFE, -60 - uplink % 50, uplink % 40 / 2 - 10


def _channel(uplink: int) -> int:
    return CHANNELS[uplink % len(CHANNELS)]


def _clock(heard: gw.UplinkRxInfo, seconds: int, ms: int) -> None:
    heard.gw_time.seconds, heard.gw_time.nanos = seconds, ms * 1_000_000 + 515_000
    heard.time_since_gps_epoch.seconds, heard.time_since_gps_epoch.nanos = seconds + GPS_AHEAD, ms * 1_000_000


def _sent(into: gw.UplinkTxInfo) -> None:
    lora = into.modulation.lora
    lora.bandwidth, lora.spreading_factor, lora.code_rate = 125_000, 7, gw.CR_4_5


def _event(number: int) -> integration.UplinkEvent:
    event = integration.UplinkEvent(
        dev_addr=dev_addr(number), adr=True, dr=5, f_port=PORT, confirmed=False, region_config_id="eu868"
    )
    info = event.device_info
    info.tenant_id, info.tenant_name = "6ff36a4d-afeb-4365-8e57-3b8ec9f71be2", "City"
    info.application_id, info.application_name = APPLICATION, "air-quality"
    info.device_profile_id, info.device_profile_name = "e56b0e21-a71e-44cd-8b1c-58ae86b4db76", "lorabench-aq-5"
    info.device_name, info.dev_eui = f"aq-{number:04d}", dev_eui(number)
    info.tags.update({"district": "north", "profile": "abp"})
    _sent(event.tx_info)
    contexts, places = (b"\xee\xfcM\xf8", b"\xee\xfcK\xd2"), ((52.3702, 4.8952, 3.0), (52.3731, 4.8922, 12.0))
    for gateway, context, place in zip(GATEWAYS, contexts, places, strict=True):
        heard = event.rx_info.add(gateway_id=gateway, channel=2, context=context, crc_status=gw.CRC_OK)
        heard.location.latitude, heard.location.longitude, heard.location.altitude = place
    return event


def _frame(gateway: str) -> gw.UplinkFrame:
    frame = gw.UplinkFrame()
    _sent(frame.tx_info)
    frame.rx_info.gateway_id, frame.rx_info.context = gateway, b"\xee\xbe\xb8`"
    frame.rx_info.channel, frame.rx_info.crc_status = 2, gw.CRC_OK
    return frame

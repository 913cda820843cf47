"""Milesight EM300-TH temperature and humidity, outside or inside; it keeps readings while the network is away.

User guide: https://www.milesight.com/iot/product/lorawan-sensor/em300-th. Each item is a channel, a type and its data,
little-endian; what was kept comes as items `20ce`, each with its own time.
"""

from typing import Any

from headrace import Attribute, Connector, Example, PayloadError, Time, Uplink

ABOUT = {"ff01": 1, "ff09": 2, "ff0a": 2, "ff0b": 1, "ff0f": 1, "ff16": 8, "ff18": 2, "fffe": 1, "ffff": 2}
# of a reply to a command, on channel fe or ff: how many bytes follow its type
REPLIES = {"02": 2, "03": 2, "06": 9, "10": 1, "27": 1, "28": 1, "68": 1, "69": 1, "6a": 3, "6d": 1, "79": 6, "ea": 3}
ABOUT |= {f"{channel}{kind}": size for channel in ("fe", "ff") for kind, size in REPLIES.items()}
SIZES = ABOUT | {"0175": 1, "0367": 2, "0468": 1, "20ce": 8}


def decode(uplink: Uplink) -> list[dict[str, Any]]:
    """Return the readings that were kept, each with its `time` in milliseconds, then the present one."""
    now: dict[str, Any] = {}
    kept: list[dict[str, Any]] = []
    for key, data in items(uplink.frame()):
        if key == "0175":
            now["battery"] = data[0]
        elif key == "0367":
            now["temperature"] = int.from_bytes(data, "little", signed=True) / 10
        elif key == "0468":
            now["humidity"] = data[0] / 2
        elif key in ABOUT:
            now |= about(key, data)
        else:
            temperature = int.from_bytes(data[4:6], "little", signed=True) / 10
            time = int.from_bytes(data[:4], "little") * 1000
            kept.append({"time": time, "temperature": temperature, "humidity": data[6] / 2})
    return [*kept, now] if now else kept


def items(payload: bytes) -> list[tuple[str, bytes]]:
    """Return the items: channel and type, and their data."""
    found: list[tuple[str, bytes]] = []
    at = 0
    while at < len(payload) or not found:
        key = payload[at : at + 2].hex()
        size = SIZES.get(key)
        if size is None:
            raise PayloadError(f"expected a channel and type of the user guide at byte {at}, got {key or 'the end'}")
        data = payload[at + 2 : at + 2 + size]
        if len(data) < size:
            raise PayloadError(f"expected {size} bytes after {key} at byte {at}, got {len(data)}")
        found.append((key, data))
        at += 2 + size
    return found


def about(key: str, data: bytes) -> dict[str, Any]:
    """Return what the device says of itself when it joins."""
    match key:
        case "ff09":
            return {"hardware": f"{data[0]}.{data[1] >> 4}"}
        case "ff0a":
            return {"firmware": f"{data[0]}.{data[1]:x}"}
        case "ff16":
            return {"serial": data.hex()}
    return {}


GUIDE = "https://github.com/Milesight-IoT/SensorDecoders, EM300-TH, README"

connector = Connector(
    vendor="milesight",
    devices=("em300-th",),
    owner="@headrace",
    decode=decode,
    model="WeatherObserved",
    attributes={
        "temperature": Attribute("temperature", unit="degC"),
        "relativeHumidity": Attribute("humidity", unit="%"),
    },
    device={
        "batteryLevel": Attribute("battery", unit="%"),
        "hardwareVersion": Attribute("hardware"),
        "firmwareVersion": Attribute("firmware"),
        "serialNumber": Attribute("serial"),
    },
    time=Time("time", unit="ms"),
    examples=(
        Example(
            "a reading",
            hex="01755c03673401046865",
            port=85,
            expect=[
                {
                    "WeatherObserved": {"temperature": 30.8, "relativeHumidity": 0.505},
                    "Device": {"batteryLevel": 0.92},
                }
            ],
            source=GUIDE,
        ),
        Example(
            "a reading that was kept",
            hex="20ce9e74466310015d00",
            port=85,
            expect=[{"temperature": 27.2, "relativeHumidity": 0.465}],
            source=GUIDE,
        ),
        Example(
            "battery at half",
            hex="0175320367c80004683c",
            port=1,
            expect=[{"temperature": 20.0, "relativeHumidity": 0.3}],
            source="https://github.com/TheThingsNetwork/lorawan-devices, vendor/milesight-iot/em300-th-codec.yaml",
        ),
        Example(
            "what it says when it joins",
            hex="ff0bffff0101ff166136c40091605408ff090200ff0a0101ff0f00ff180003",
            port=85,
            expect=[
                {"Device": {"hardwareVersion": "2.0", "firmwareVersion": "1.1", "serialNumber": "6136c40091605408"}}
            ],
            source="https://www.milesight.com/products/docs/en/am103/protocol/am100/am10x-uplink.html, the same items",
        ),
        Example(
            "a reply to a new interval",
            hex="fe03b004",
            port=85,
            expect=[],
            source="https://github.com/Milesight-IoT/SensorDecoders, em300-th-decoder.js, report_interval",
        ),
        Example("cut within the temperature", hex="01755c036734", port=85, expect=PayloadError),
        Example("a channel of another device", hex="01755c0567340104", port=85, expect=PayloadError),
    ),
)

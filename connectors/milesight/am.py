"""Milesight AM100 and AM300: the air of a room (AM102, AM103, AM104, AM107; AM307, AM308, AM319).

User guides: https://www.milesight.com/iot/product/lorawan-sensor. Each item is a channel, a type and its data,
little-endian. Not mapped: `tvoc`, an index whose unit differs by model and firmware, and `hcho`, which no model has.
The readings that a device has kept (item `20ce`) have another length in each model, which the payload does not tell;
they are refused.
"""

from typing import Any

from headrace import Attribute, Connector, Example, Observation, PayloadError, Uplink

# channel and type: field, size in bytes, how many steps make one unit
NUMBERS = {
    "0175": ("battery", 1, 1),
    "0468": ("humidity", 1, 2),
    "0500": ("motion", 1, 1),
    "056a": ("activity", 2, 1),
    "06cb": ("light_level", 1, 1),
    "077d": ("co2", 2, 1),
    "087d": ("tvoc", 2, 1),
    "0973": ("pressure", 2, 10),
    "0a7d": ("hcho", 2, 100),
    "0b7d": ("pm2_5", 2, 1),
    "0c7d": ("pm10", 2, 1),
    "0d7d": ("o3", 2, 100),
    "0e01": ("beep", 1, 1),
}
TEMPERATURE = "0367"
LIGHT = "0665"  # lux, visible and infrared, infrared: two bytes each
ABOUT = {"ff01": 1, "ff09": 2, "ff0a": 2, "ff0b": 1, "ff0f": 1, "ff16": 8, "ff18": 2, "fffe": 1, "ffff": 2}
# of a reply to a command, on channel fe or ff: how many bytes follow its type
REPLIES = {"03": 2, "06": 9, "10": 1, "11": 4, "17": 2, "27": 1, "2d": 1, "2f": 1, "3b": 1, "68": 1, "69": 1, "6a": 3}
ABOUT |= {f"{channel}{kind}": size for channel in ("fe", "ff") for kind, size in REPLIES.items()}
SIZES = ABOUT | {TEMPERATURE: 2, LIGHT: 6} | {key: size for key, (_, size, _) in NUMBERS.items()}


def decode(uplink: Uplink) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one reading, with the fields of whatever the model measures; none, where nothing is told of either."""
    payload = uplink.frame()
    fields: dict[str, Any] = {}
    at = 0
    while at < len(payload) or at == 0:
        key = payload[at : at + 2].hex()
        if key not in SIZES:
            raise PayloadError(f"expected a channel and type of the user guide at byte {at}, got {key or 'the end'}")
        data = payload[at + 2 : at + 2 + SIZES[key]]
        if len(data) < SIZES[key]:
            raise PayloadError(f"expected {SIZES[key]} bytes after {key} at byte {at}, got {len(data)}")
        if key == TEMPERATURE:
            fields["temperature"] = int.from_bytes(data, "little", signed=True) / 10
        elif key == LIGHT:
            fields["illuminance"] = int.from_bytes(data[:2], "little")
        elif key in ABOUT:
            fields |= about(key, data)
        else:
            name, _, steps = NUMBERS[key]
            fields[name] = int.from_bytes(data, "little") / steps
        at += 2 + SIZES[key]
    return fields or []


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


connector = Connector(
    vendor="milesight",
    devices=("am102", "am103", "am104", "am107", "am307", "am308", "am319"),
    owner="@headrace",
    decode=decode,
    observations=(
        Observation(
            "IndoorEnvironmentObserved",
            {
                "temperature": Attribute("temperature", unit="degC"),
                "relativeHumidity": Attribute("humidity", unit="%"),
                "co2": Attribute("co2", unit="ppm"),
                "atmosphericPressure": Attribute("pressure", unit="hPa"),
                "illuminance": Attribute("illuminance", unit="lx"),
            },
        ),
        Observation(
            "AirQualityObserved",
            {
                "pm25": Attribute("pm2_5", unit="ug/m3"),
                "pm10": Attribute("pm10", unit="ug/m3"),
                "o3": Attribute("o3", unit="ppm"),
            },
        ),
    ),
    device={
        "batteryLevel": Attribute("battery", unit="%"),
        "hardwareVersion": Attribute("hardware"),
        "firmwareVersion": Attribute("firmware"),
        "serialNumber": Attribute("serial"),
    },
    examples=(
        Example(
            "AM319 with particles",
            hex="0367ee0004687c05000106cb02077da803087d2500097366270a7d04000b7d20000c7d3000",
            port=85,
            expect={
                "IndoorEnvironmentObserved": {
                    "temperature": 23.8,
                    "relativeHumidity": 0.62,
                    "co2": 936.0,
                    "atmosphericPressure": 1008.6,
                },
                "AirQualityObserved": {"pm25": 32.0, "pm10": 48.0},
            },
            source="https://github.com/Milesight-IoT/SensorDecoders, AM300, README",
        ),
        Example(
            "AM103",
            hex="01756403671001046871077d1303",
            port=85,
            expect={"IndoorEnvironmentObserved": {"temperature": 27.2, "relativeHumidity": 0.565, "co2": 787.0}},
            source="https://www.milesight.com/products/docs/en/am103/protocol/am100/am10x-uplink.html",
        ),
        Example(
            "AM107 with light",
            hex="01755c03673401046865056a490006651c0079001400077de704087d070009733f27",
            port=85,
            expect={
                "IndoorEnvironmentObserved": {
                    "temperature": 30.8,
                    "relativeHumidity": 0.505,
                    "co2": 1255.0,
                    "atmosphericPressure": 1004.7,
                    "illuminance": 28.0,
                }
            },
            source="https://github.com/weeve-modules/milesight-decoder, README",
        ),
        Example(
            "AM103 when it joins",
            hex="ff0bffff0101ff166136c40091605408ff090200ff0a0101ff0f00ff180003",
            port=85,
            expect={"Device": {"hardwareVersion": "2.0", "firmwareVersion": "1.1", "serialNumber": "6136c40091605408"}},
            source="https://www.milesight.com/products/docs/en/am103/protocol/am100/am10x-uplink.html",
        ),
        Example(
            "a reply to a new interval",
            hex="fe03b004",
            port=85,
            expect=[],
            source="https://github.com/Milesight-IoT/SensorDecoders, am103-decoder.js, report_interval",
        ),
        Example("cut within carbon dioxide", hex="0367ee0004687c077da8", port=85, expect=PayloadError),
        Example("kept readings", hex="20ce9e74466310015d0001", port=85, expect=PayloadError),
    ),
)

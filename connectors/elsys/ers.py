"""ELSYS ERS: the air and the light of a room (ERS, ERS CO2, ERS Lite, ERS Sound, ERS VOC, ERS Eye).

Data sheet: "ELSYS sensor payload", https://elsys.se/public/documents/Sensor_payload.pdf. Each item is a type and its
data, big-endian. Not mapped: the sound level, whose weighting the data sheet does not state, and the supply's voltage.
"""

from typing import Any

from headrace import Attribute, Connector, Example, Observation, PayloadError, Uplink

# type: field, size in bytes, signed, how many steps make one unit
NUMBERS = {
    0x01: ("temperature", 2, True, 10),
    0x02: ("humidity", 1, False, 1),
    0x04: ("light", 2, False, 1),
    0x05: ("motion", 1, False, 1),
    0x06: ("co2", 2, False, 1),
    0x07: ("supply", 2, False, 1000),
    0x0F: ("vibration", 1, False, 1),
    0x11: ("occupancy", 1, False, 1),
    0x14: ("pressure", 4, False, 1000),
    0x1C: ("tvoc", 2, False, 1),
}
PASSED_OVER = {0x03: 3, 0x08: 2, 0x09: 6, 0x0A: 2, 0x0B: 4, 0x0C: 2, 0x0D: 1, 0x0E: 2, 0x10: 4, 0x12: 1, 0x13: 65}
PASSED_OVER |= {0x15: 2, 0x16: 2, 0x17: 4, 0x18: 2, 0x19: 2, 0x1A: 1, 0x1B: 4, 0x3D: 4}
SIZES = PASSED_OVER | {kind: size for kind, (_, size, _, _) in NUMBERS.items()}


SETTINGS = 0x3E


def decode(uplink: Uplink) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one reading, with the fields of whatever the device measures; none, of settings that were asked for."""
    payload = uplink.frame()
    if not payload:
        raise PayloadError("expected a type and its data, got an empty payload")
    fields: dict[str, Any] = {}
    at = 0
    while at < len(payload):
        kind = payload[at]
        if kind == SETTINGS:  # what follows is theirs, to the end
            break
        if kind not in SIZES:
            raise PayloadError(f"expected a type of the data sheet at byte {at}, got {kind:#04x}")
        data = payload[at + 1 : at + 1 + SIZES[kind]]
        if len(data) < SIZES[kind]:
            raise PayloadError(f"expected {SIZES[kind]} bytes after type {kind:#04x} at byte {at}, got {len(data)}")
        if kind in NUMBERS:
            name, _, signed, steps = NUMBERS[kind]
            fields[name] = int.from_bytes(data, "big", signed=signed) / steps
        at += 1 + SIZES[kind]
    return fields or []


PUBLISHED = "https://github.com/TheThingsNetwork/lorawan-devices, vendor/elsys/"

connector = Connector(
    vendor="elsys",
    devices=("ers", "ers-co2", "ers-co2-lite", "ers-eye", "ers-lite", "ers-sound", "ers-voc"),
    owner="@headrace",
    decode=decode,
    observations=(
        Observation(
            "IndoorEnvironmentObserved",
            {
                "temperature": Attribute("temperature", unit="degC"),
                "relativeHumidity": Attribute("humidity", unit="%"),
                "co2": Attribute("co2", unit="ppm"),
                "illuminance": Attribute("light", unit="lx"),
                "atmosphericPressure": Attribute("pressure", unit="hPa"),
            },
        ),
        Observation("AirQualityObserved", {"volatileOrganicCompoundsTotal": Attribute("tvoc", unit="ppb")}),
    ),
    examples=(
        Example(
            "ERS CO2",
            hex="0100e202290400270506060308",
            port=1,
            expect={
                "IndoorEnvironmentObserved": {
                    "temperature": 22.6,
                    "relativeHumidity": 0.41,
                    "illuminance": 39.0,
                    "co2": 776.0,
                }
            },
            source=f"{PUBLISHED}ers-co2-codec.yaml",
        ),
        Example(
            "ERS Sound",
            hex="0100e202290400270506150101",
            port=1,
            expect={"IndoorEnvironmentObserved": {"temperature": 22.6, "relativeHumidity": 0.41, "illuminance": 39.0}},
            source=f"{PUBLISHED}ers-sound-codec.yaml",
        ),
        Example(
            "settings",
            hex="3e0c07000000a00b000000",
            port=6,
            expect=[],
            source="the type SETTINGS (3e) of the vendor's decoder, https://www.elsys.se/en/elsys-payload/",
        ),
        Example("cut within carbon dioxide", hex="0100e2022904002705060603", port=1, expect=PayloadError),
        Example("an unknown type", hex="0100e2ee29", port=1, expect=PayloadError),
    ),
)

"""The kinds of devices in the demo's city, and what one of each says.

Most say JSON; a kind with a payload in binary returns bytes (binary.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pipeline.demo import binary
from pipeline.demo.device import Device, Kind, Reading
from pipeline.demo.weather import celsius, fahrenheit


def _iso(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _place(device: Device) -> Reading:
    return {"lat": device.latitude, "lon": device.longitude}


def _air_station(device: Device, now: int) -> Reading:
    return {
        "device": device.name,
        "ts": now,
        **_place(device),
        "temperature": celsius(device, now),
        "humidity": device.near(70, 15),
        "no2": device.near(24, 12),
        "o3": device.near(45, 20),
        "pm10": device.near(18, 8),
        "pm25": device.near(9, 4),
    }


def _air_box(device: Device, now: int) -> Reading:
    return {
        "id": device.name,
        "time": _iso(now),
        "pos": _place(device),
        "pm": {"p1": device.near(20, 10, 2), "p2": device.near(10, 5, 2)},
        "env": {"temp_f": fahrenheit(device, now)},
    }


def _weather_mast(device: Device, now: int) -> Reading:
    return {
        "station": device.name,
        "epoch": now // 1000,
        **_place(device),
        "temp_f": fahrenheit(device, now),
        "rh": device.near(70, 15),
        "pressure": device.near(29.9, 0.3, 2),
        "wind": device.near(9, 6),
        "wind_from": device.near(180, 179, 0),
        "rain": max(0.0, device.near(-0.5, 1)),
    }


def _noise_meter(device: Device, now: int) -> Reading:
    level = device.near(58, 9)
    return {"t": _iso(now), **_place(device), "laeq": level, "lamax": round(level + abs(device.near(0, 12)), 1)}


def _room(device: Device, now: int) -> Reading:
    people = device.chance.randrange(0, 12)
    return {
        "ts": now,
        "temp": device.near(21, 1.5),
        "hum": device.near(45, 8),
        "co2": 420 + 60 * people,
        "lux": device.near(350, 150, 0),
        "people": people,
    }


def _bus(device: Device, now: int) -> Reading:
    device.move()
    gps = {**_place(device), "alt": device.near(9, 2)}
    return {"vehicle": device.name, "ts": now, "gps": gps, "no2": device.near(38, 18), "pm25": device.near(14, 6)}


KINDS: Final = (
    Kind("air-station", 80, _air_station),
    Kind("air-box", 80, _air_box),
    Kind("weather-mast", 40, _weather_mast),
    Kind("noise-meter", 60, _noise_meter),
    Kind("room", 60, _room),
    Kind("bus", 20, _bus),
    Kind("lora-room", 20, binary.elsys_ers_in_hex),
    Kind("lora-mast", 20, binary.decentlab_atm41),
    Kind("cs-climate", 16, binary.milesight_em300, "chirpstack_json", 85, "milesight/em300-th"),
    Kind("cs-room", 16, binary.elsys_ers, "chirpstack_protobuf", 5, "elsys/ers-co2"),
    Kind("tts-climate", 16, binary.dragino_lht65, "the_things_stack", 2, "dragino/lht65"),
    Kind("raw-climate", 16, binary.milesight_em300, "gateways", 85, "milesight/em300-th"),
    Kind("raw-room", 16, binary.elsys_ers, "gateways", 5, "elsys/ers-co2"),
)

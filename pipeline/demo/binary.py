"""What the city's devices with a payload in binary say, as their vendors' data sheets have it."""

from __future__ import annotations

import struct

from pipeline.demo.device import Device
from pipeline.demo.weather import celsius


def elsys_ers(device: Device, _now: int) -> bytes:
    """Write an ELSYS ERS CO2's items, a type and its data each: temperature, humidity, light, motion, CO2."""
    temperature, light = round(device.near(21, 1.5) * 10), round(device.near(300, 100, 0))
    return struct.pack(">BhBBBHBBBH", 1, temperature, 2, 45, 4, light, 5, 6, 6, round(device.near(700, 200, 0)))


def elsys_ers_in_hex(device: Device, now: int) -> bytes:
    """Write the same as text."""
    return elsys_ers(device, now).hex().encode()


def decentlab_atm41(device: Device, now: int) -> bytes:
    """Write a Decentlab DL-ATM41's seventeen words; each is a number of steps above or below 0x8000."""
    gust = device.near(6, 3, 2)
    steps = [
        *(round(device.near(300, 200, 0)), 0, 0, 0),  # solar radiation in W/m2; rain and lightning
        *(round(gust * 60), round(device.near(180, 179) * 10), round(gust * 100)),  # wind, direction, gust
        *(round(celsius(device, now) * 10), 120, 10_100, round(device.near(70, 15) * 10)),  # air: kPa, %
        *(150, 0, 0, 0, 0, 0),  # what is inside the housing, and the wind's parts
    ]
    return struct.pack(">BHH17H", 2, 858, 1, *(0x8000 + step for step in steps))


def milesight_em300(device: Device, now: int) -> bytes:
    """Write a Milesight EM300-TH's channels, little-endian: battery, temperature, humidity."""
    temperature, humidity = round(celsius(device, now) * 10), round(device.near(70, 15) * 2)
    return struct.pack("<HBHhHB", 0x7501, 60 + device.number % 40, 0x6703, temperature, 0x6804, humidity)


def dragino_lht65(device: Device, now: int) -> bytes:
    """Write a Dragino LHT65's eleven bytes: supply, temperature, humidity, and no probe."""
    humidity = round(device.near(70, 15) * 10)
    return struct.pack(">HhHB4s", 0xCBF6, round(celsius(device, now) * 100), humidity, 0, b"\x7f\xff\x7f\xff")

"""Milesight: LoRaWAN sensors whose payload is a row of channel, type and data, little-endian."""

"""Dragino: LoRaWAN sensors."""

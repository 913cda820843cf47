"""Netvox: LoRaWAN sensors, one report type a frame."""

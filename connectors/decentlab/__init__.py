"""Decentlab: LoRaWAN sensors of protocol version 2, whose flags say which groups of words follow."""

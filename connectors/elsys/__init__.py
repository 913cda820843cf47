"""ELSYS: LoRaWAN sensors whose payload is a row of type and data, big-endian."""

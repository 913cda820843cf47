"""SenseCAP of Seeed Studio: LoRaWAN sensors."""

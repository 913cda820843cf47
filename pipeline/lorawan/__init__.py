"""Raw LoRaWAN frames, as gateways hear them, to uplinks: frames, copies, sessions, counters.

No downlink is ever sent and no join ever answered: a network server owns those.
"""

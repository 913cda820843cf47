"""Device connectors and formats: what knows somebody else's bytes. Pure: no I/O, no clock, no globals."""

"""MQTT sessions: one feed is one client id at one broker."""

"""The device registry, what is known of devices over restarts, and which of them are silent."""

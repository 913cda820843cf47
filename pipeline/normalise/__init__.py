"""From a message to a record: route, decode, normalise."""

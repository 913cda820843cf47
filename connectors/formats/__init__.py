"""Formats of payloads that any device may use: parsers, from bytes to readings, that a route can name."""

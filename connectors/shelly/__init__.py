"""Shelly: Wi-Fi sensors of the second generation and later, JSON."""

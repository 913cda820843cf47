"""Dialects: how network servers and gateway bridges wrap what devices send; see README.md."""

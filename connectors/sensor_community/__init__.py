"""Sensor.Community: citizens' own stations, JSON."""

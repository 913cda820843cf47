"""Metrics, health and the status page."""

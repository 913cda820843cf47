"""uRADMonitor: air quality monitors."""

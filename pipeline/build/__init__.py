"""From the configuration to running parts."""

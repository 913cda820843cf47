"""Which connectors, dialects and formats there are."""

"""All that code outside the engine may import: connectors, uplinks, dialects."""

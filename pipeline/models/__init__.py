"""The common data models: one file a domain, all found through `MODELS`."""

"""The one HTTP server, and the client that asks a running worker."""

"""The generated pages of deploy/reference."""

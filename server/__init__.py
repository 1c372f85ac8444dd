"""The Memoir server."""

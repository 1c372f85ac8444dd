"""Models that run inside the server, without a key and without a network."""

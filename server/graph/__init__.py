"""The graph of entities and relations that memories state."""

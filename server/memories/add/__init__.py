"""Adding memories, verbatim or inferred."""

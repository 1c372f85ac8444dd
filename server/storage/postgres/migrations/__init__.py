"""The schema, as forward-only steps."""

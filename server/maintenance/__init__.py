"""Maintenance of a store: readiness, re-embedding, retention."""

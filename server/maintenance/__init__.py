"""Readiness and upkeep of a whole store."""

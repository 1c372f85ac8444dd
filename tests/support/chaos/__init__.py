"""Faults on purpose, under load, and a check of what they left."""

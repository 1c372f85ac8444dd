"""Bringing the graph up to date with the memories."""

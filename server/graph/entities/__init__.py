"""Entities and the names that they go by."""

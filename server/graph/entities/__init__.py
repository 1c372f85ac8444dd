"""Entities and their names."""

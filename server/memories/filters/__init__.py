"""Filters on memories: read, checked, and what they mean."""

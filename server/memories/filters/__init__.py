"""Filters on memories: parsing, checks and semantics."""

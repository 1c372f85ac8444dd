"""Searching and ranking memories."""

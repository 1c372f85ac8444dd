"""Whole projects, out and in."""

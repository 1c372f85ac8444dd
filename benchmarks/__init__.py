"""Measures the running service from outside; see README.md beside this file."""

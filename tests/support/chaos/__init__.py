"""Faults injected under load, and a check of the data afterwards."""

"""Benchmarks of the running service; see README.md."""

"""Logs, traces, metrics and statistics."""

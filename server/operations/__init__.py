"""Idempotent requests, turns on a scope, and asynchronous calls."""

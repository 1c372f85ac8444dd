"""Requests that are done once, turns on a scope, and asynchronous calls."""

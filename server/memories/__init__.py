"""Memories: added, searched, changed, read as they were."""

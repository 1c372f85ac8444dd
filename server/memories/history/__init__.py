"""The history of memories."""

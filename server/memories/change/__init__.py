"""Changing and deleting memories by their ids."""

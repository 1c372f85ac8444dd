"""Listing and deleting users, agents, apps and runs."""

"""Projects: keys, settings, statistics, archives."""

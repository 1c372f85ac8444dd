"""The command line: serve, migrate, projects, keys."""

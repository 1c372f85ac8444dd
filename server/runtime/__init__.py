"""The process: settings, composition, readiness, start and end."""

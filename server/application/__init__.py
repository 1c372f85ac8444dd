"""What the service does: one use case a file, constructed with its ports, called with a command."""

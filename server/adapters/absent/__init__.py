"""Stand-ins for parts that this machine does not have."""

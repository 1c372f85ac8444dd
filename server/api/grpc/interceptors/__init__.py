"""The interceptors between a door and the use cases."""

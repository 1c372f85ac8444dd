"""What application code needs of the outside world, as protocols that adapters fulfil."""

"""Finding memories, and how they are ranked."""

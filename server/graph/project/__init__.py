"""The projection of memories to the graph."""

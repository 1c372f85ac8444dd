"""Reading the graph, now and at a past instant."""

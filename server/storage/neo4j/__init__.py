"""The graph on Neo4j 5.18: a projection of the memories, see `server.graph.ports`."""

"""How tests run Neo4j."""

QUICK_JAVA = ("-XX:TieredStopAtLevel=1",)
"""Halves the time to start and to plan; the loss of speed later does not matter here."""

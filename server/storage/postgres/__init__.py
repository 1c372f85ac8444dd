"""PostgreSQL with pgvector, the source of truth: queries lie beside their SQL."""

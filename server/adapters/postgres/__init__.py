"""PostgreSQL with pgvector, the source of truth: `sql/` for statements, `migrations/` for schema."""

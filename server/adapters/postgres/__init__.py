"""PostgreSQL with pgvector, the source of truth: statements in `sql/`, schema in `migrations/`."""

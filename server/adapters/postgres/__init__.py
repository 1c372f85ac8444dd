"""PostgreSQL with pgvector: the source of truth. Statements are in `sql/`, the schema in `migrations/`."""

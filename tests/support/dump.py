"""Searching all rows of a database as text."""

from __future__ import annotations

from server.storage.postgres.pool import Database


async def tables_with(database: Database, *words: str) -> set[str]:
    """Returns the tables that contain one of the words in any column of a row."""
    found = set()
    async with database.connection() as connection:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for table in tables:
            rows = await connection.fetch(f"SELECT to_jsonb(t)::text FROM {table['name']} AS t")
            forms = [form for word in words for form in (word, word.encode().hex())]
            if any(form.lower() in row[0].lower() for row in rows for form in forms):
                found.add(table["name"].removeprefix("public."))
    return found

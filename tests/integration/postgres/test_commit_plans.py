"""An add looks at a digest at a time, whatever PostgreSQL knows of the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from server.storage.postgres.record_calls import RECORD_INFERRED, RECORD_VERBATIM
from server.storage.postgres.statements import Statement
from tests.support.postgres import loaded

Plan = dict[str, Any]

_MEMORIES = """
INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, scope_key, digest, text, inferred, immutable,
    metadata, categories, entities, relations, evidence, event_time, create_time, update_time,
    embedding
)
SELECT 'project-1', gen_random_uuid(), 1, gen_random_uuid(), 'alice', sha256('alice'),
       sha256(n::text::bytea), 'a memory', false, false, '{}', '{}', '[]', '[]', '[]', now(), now(),
       now(), array_fill(0.1::real, ARRAY[64])::vector::halfvec
FROM generate_series(1, 2000) AS n
"""


def _scans(plan: Plan) -> Iterator[Plan]:
    if plan.get("Relation Name") == "memories" and "Scan" in plan["Node Type"]:
        yield plan
    for inner in plan.get("Plans", []):
        yield from _scans(inner)


@pytest.mark.parametrize("written", [RECORD_VERBATIM, RECORD_INFERRED])
@pytest.mark.parametrize("statements", [[_MEMORIES], [_MEMORIES, "ANALYZE memories"]])
async def test_an_add_reads_no_more_of_a_large_scope_than_its_own_digests(
    postgres_server: str, statements: list[str], written: Statement
) -> None:
    async with loaded(postgres_server, *statements) as connection:
        await connection.execute(
            f"SET plan_cache_mode = force_generic_plan; PREPARE add AS {written.text}"
        )
        nulls = ", ".join(["NULL"] * len(written.parameters))
        found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE add ({nulls})")
    [scan] = _scans(json.loads(found)[0]["Plan"])
    assert scan["Index Name"] == "memories_digest"
    assert "digest" in scan["Index Cond"]

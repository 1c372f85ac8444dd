"""An add looks up single digests, whatever statistics PostgreSQL has about the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from server.storage.postgres.record_calls import RECORD_INFERRED, RECORD_VERBATIM
from server.storage.postgres.statements import SqlStatement
from tests.support.postgres import loaded

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

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


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


async def _generic_plan(connection: Connection, written: SqlStatement) -> Plan:
    await connection.execute(
        f"SET plan_cache_mode = force_generic_plan; PREPARE add AS {written.text}"
    )
    nulls = ", ".join(["NULL"] * len(written.parameters))
    found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE add ({nulls})")
    plan: Plan = json.loads(found)[0]["Plan"]
    return plan


@pytest.mark.parametrize("written", [RECORD_VERBATIM, RECORD_INFERRED])
@pytest.mark.parametrize("statements", [[_MEMORIES], [_MEMORIES, "ANALYZE memories"]])
async def test_an_add_reads_no_more_of_a_large_scope_than_its_own_digests(
    postgres_server: str, statements: list[str], written: SqlStatement
) -> None:
    async with loaded(postgres_server, *statements) as connection:
        plan = await _generic_plan(connection, written)
    [scan] = [
        node
        for node in _nodes(plan)
        if node.get("Relation Name") == "memories" and "Scan" in node["Node Type"]
    ]
    assert scan["Index Name"] == "memories_digest"
    assert "digest" in scan["Index Cond"]


_OTHERS = """
INSERT INTO scope_leases (project_id, scope_key, lease, expires_at)
SELECT 'project-1', sha256(n::text::bytea), gen_random_uuid(), now()
FROM generate_series(1, 2000) AS n
"""


@pytest.mark.parametrize("statements", [[], [_OTHERS], [_OTHERS, "ANALYZE scope_leases"]])
async def test_an_add_finds_what_it_ends_by_its_keys(
    postgres_server: str, statements: list[str]
) -> None:
    async with loaded(postgres_server, *statements) as connection:
        plan = await _generic_plan(connection, RECORD_INFERRED)
    keys = {"scope_leases": "scope_key", "operations": "operation_id", "passages": "passage_id"}
    changes = [
        node
        for node in _nodes(plan)
        if node["Node Type"] == "ModifyTable" and node["Operation"] != "Insert"
    ]
    found_by = {
        change["Relation Name"]: [
            node["Index Cond"] for node in _nodes(change) if "Index Cond" in node
        ]
        for change in changes
    }
    assert found_by.keys() == keys.keys()
    for table, [condition] in found_by.items():
        assert keys[table] in condition

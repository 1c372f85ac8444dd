"""Query plans for statements on tables of a few thousand rows."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.storage.postgres.rows import to_halfvec
from tests.support.builders import NOW, PROJECT

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

DIMENSIONS = 64
# 10,000 memories of two projects, 100 users, 97 agents, 53 apps and 1,000 runs, 5 a call.
LOAD = f"""
INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest,
    text, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
    create_time, update_time, embedding
)
SELECT 'project-' || 1 + n % 2, gen_random_uuid(), 1, md5((n / 5)::text)::uuid,
       'user-' || n % 100, 'agent-' || n % 97, 'app-' || n % 53, 'run-' || n % 1000,
       sha256(('user-' || n % 100)::bytea), sha256(n::text::bytea), 'a memory', true, false,
       '{{}}', '{{}}', '[]', '[]', '[]', time, time, time,
       array_fill(0.1::real, ARRAY[{DIMENSIONS}])::vector::halfvec
FROM generate_series(1, 10000) AS n,
     LATERAL (SELECT '{NOW}'::timestamptz - n * interval '1 minute') AS t (time);

INSERT INTO calls (
    project_id, call_id, position, method, scope_key, request_id, payload_digest, correlation_id,
    embedding_model, call_time
)
SELECT DISTINCT ON (project_id, call_id)
    project_id, call_id, nextval('change_position'), 'AddMemories', scope_key, memory_id, '', '',
    '', create_time
FROM memories;

INSERT INTO messages (project_id, call_id, ordinal, message_id, role, content, event_time)
SELECT project_id, call_id, 0, gen_random_uuid(), 'user', 'a message', call_time FROM calls;

INSERT INTO passages (
    project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
    digest, sentences, text, role, metadata, event_time, create_time, store_time, embedding
)
SELECT project_id, memory_id, call_id, memory_id, user_id, agent_id, app_id, run_id, scope_key,
       digest, ARRAY['a passage'], 'a passage', 'user', '{{}}', event_time, create_time,
       create_time, embedding
FROM memories;

ANALYZE memories, calls, messages, passages
"""
EMBEDDING = array("f", [0.1] * DIMENSIONS)
VECTOR = to_halfvec(EMBEDDING)
SCOPE_KEY = sha256(b"user-7").digest()
TODAY = NOW.date()
HALFWAY = NOW - timedelta(minutes=5000)


def search_of(scope: Scope, **changes: Any) -> SearchQuery:
    """Returns a search for a text and `EMBEDDING`, on the day of `NOW`."""
    query: dict[str, Any] = {"vector": EMBEDDING, "limit": 10, "visible_on": TODAY, **changes}
    return SearchQuery(PROJECT, scope, text="a memory", **query)


Plan = dict[str, Any]


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


async def plans(connection: Connection, statement: str, *values: object) -> list[Plan]:
    """Returns the custom plan for these values, and the generic plan."""
    custom = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *values)
    await connection.execute(
        f"SET plan_cache_mode = force_generic_plan; PREPARE any_values AS {statement}"
    )
    nulls = ", ".join(["NULL"] * len(values))
    generic = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE any_values ({nulls})")
    await connection.execute("DEALLOCATE any_values; RESET plan_cache_mode")
    return [json.loads(found)[0]["Plan"] for found in (custom, generic)]


def indexes(plan: Plan, table: str) -> set[str]:
    """Returns the indexes by which a table is read.

    Raises:
        AssertionError: the table is scanned sequentially.
    """
    scans = [node for node in nodes(plan) if node.get("Relation Name") == table]
    assert scans
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
    return {node["Index Name"] for node in scans}

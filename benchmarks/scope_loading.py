"""Large scopes for the benchmarks of searching: invented diaries, inserted into the table."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from server.memories.scope import Scope
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import EmbeddingPurpose
from server.storage.postgres.pool import Database
from server.storage.postgres.rows import to_halfvec

BATCH = 5_000
COPIED = 20_000
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)

_WHO = (
    *("sister", "brother", "colleague", "neighbour", "friend", "cousin", "boss", "teacher", "aunt"),
    *("doctor", "landlord", "trainer", "nephew", "dentist", "plumber", "pianist", "cook", "judge"),
)
_DID = (
    *("repaired", "bought", "painted", "sold", "borrowed", "lost", "found", "described", "admired"),
    *("photographed", "forgot", "cleaned", "built", "sketched", "wanted", "returned", "donated"),
)
_WHAT = (
    *("bicycle", "violin", "kettle", "boat", "cherry tree", "chess set", "wool coat", "map"),
    *("telescope", "carpet", "bookcase", "camera", "garden wall", "espresso machine", "puzzle"),
    *("tent", "lamp", "kayak", "guitar", "beehive", "sewing machine", "mirror", "atlas", "drone"),
)
_WHERE = (
    *("Lisbon", "Oslo", "Quito", "Seoul", "Cairo", "Dakar", "Delhi", "Lima", "Rome", "Tokyo"),
    *("Bergen", "Porto", "Krakow", "Tartu", "Galway", "Bilbao", "Ghent", "Zadar", "Turku", "Basel"),
)
_WHEN = (
    *("on a rainy morning", "before breakfast", "after work", "during the holidays", "last winter"),
    *("at the weekend", "in early spring", "on the way home", "after a long flight", "at midnight"),
)
_WHY = (
    *("for a wedding", "out of boredom", "because of a bet", "as a surprise", "for a school play"),
    *("to save money", "after an argument", "for charity", "on doctor's advice", "just for fun"),
)


def sentence(chance: random.Random) -> str:
    """Returns an entry of a diary."""
    who, did, what, where = map(chance.choice, (_WHO, _DID, _WHAT, _WHERE))
    return (
        f"My {who} {did} a {what} in {where} {chance.choice(_WHEN)} {chance.choice(_WHY)}, "
        f"and it took {chance.randint(2, 90)} minutes."
    )


def question(chance: random.Random) -> str:
    """Returns a question that some entries answer."""
    did, what, where = map(chance.choice, (_DID, _WHAT, _WHERE))
    return f"Who {did} a {what} in {where}?"


async def fill(
    database: Database, embedder: OfflineEmbedder, project_id: str, scope: Scope, size: int
) -> AsyncIterator[int]:
    """Adds `size` memories for the user of the scope; yields the size of each batch."""
    chance = random.Random(scope.user_id)
    for start in range(0, size, BATCH):
        texts = [sentence(chance) for _ in range(min(BATCH, size - start))]
        vectors = await embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
        async with database.connection() as connection:
            await connection.execute(
                _LOAD,
                *(project_id, scope.user_id, scope.key(), FIRST_DAY, start),
                *(texts, list(map(to_halfvec, vectors))),
            )
        yield len(texts)


async def copy_others(database: Database, count: int) -> AsyncIterator[int]:
    """Adds `count` copies of the memories for other users, 600 each; yields each batch's size."""
    for start in range(0, count, COPIED):
        part = min(COPIED, count - start)
        async with database.connection() as connection:
            await connection.execute(_COPY, start, part)
        yield part


async def insert_some(database: Database, count: int) -> float:
    """Returns the milliseconds to insert `count` memories in one statement, the best of three.

    The statements are rolled back.
    """
    times = []
    for _ in range(3):
        async with database.connection() as connection:
            attempt = connection.transaction()
            await attempt.start()
            began = time.perf_counter()
            await connection.execute(_COPY, 0, count)
            times.append((time.perf_counter() - began) * 1000)
            await attempt.rollback()
    return min(times)


_COPY = """
INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, scope_key, digest, text, inferred, immutable,
    metadata, categories, entities, relations, evidence, event_time, create_time, update_time,
    embedding
)
SELECT m.project_id, gen_random_uuid(), 1, m.call_id, other, sha256(other::bytea),
       sha256(uuid_send(gen_random_uuid())), m.text, m.inferred, m.immutable, m.metadata,
       m.categories, m.entities, m.relations, m.evidence, m.event_time, m.create_time,
       m.update_time, m.embedding
FROM (SELECT * FROM memories ORDER BY create_time DESC LIMIT $2::bigint) AS m,
     LATERAL (SELECT 'other-' || ($1::bigint + extract(epoch FROM m.create_time)::bigint) / 600)
         AS named (other)
"""

_LOAD = """
WITH call AS (
    INSERT INTO calls (
        project_id, call_id, position, method, user_id, scope_key, payload_digest, correlation_id,
        embedding_model, call_time
    )
    SELECT $1, gen_random_uuid(), nextval('change_position'), 'AddMemories', $2, $3, '', 'bench',
           '', $4
    RETURNING call_id
)
INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, scope_key, digest, text, inferred, immutable,
    metadata, categories, entities, relations, evidence, event_time, create_time, update_time,
    embedding
)
SELECT $1, gen_random_uuid(), 1, call.call_id, $2, $3, sha256(number::text::bytea), given.text,
       false, false, jsonb_build_object('ticket', number % 1000), '{}', '[]', '[]',
       jsonb_build_array(jsonb_build_object('message_id', message_id, 'quote', '')), time,
       time, time, given.embedding
FROM call,
     unnest($6::text[], $7::halfvec[]) WITH ORDINALITY AS given (text, embedding, place),
     LATERAL (SELECT $5::bigint + given.place AS number) AS counted,
     LATERAL (SELECT $4::timestamptz + number * interval '1 second' AS time) AS timed,
     LATERAL (SELECT rpad(lpad(to_hex(number), 12, '0'), 32, '0')::uuid AS message_id) AS said
"""

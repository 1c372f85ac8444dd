"""The statements of the graph's arm of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from neo4j import AsyncSession, Query, Record

from server.adapters.neo4j import exploring
from server.adapters.neo4j.calls import transaction_metadata
from server.adapters.neo4j.keys import index_key
from server.adapters.neo4j.parameters import given
from server.adapters.neo4j.terms import alias_term
from server.domain.graph_recall import Clue, Recollection
from server.domain.scope import Scope
from server.ports.graph_reader import Within

MOST_ENTITIES: Final = 16
"""How many entities of a question are followed, those with the fewest relations."""

NEAR: Final = 50
"""How many relations of such an entity count, the newest."""

FAR: Final = 50
"""How many relations one further on count."""

WIDEST: Final = 100
"""Through an entity with more relations than that nothing is found."""

_MAX_CLAUSES: Final = 900

# As memories come, Neo4j would plan anew, which takes longer than a search waits, and what is given
# up in the middle is never planned. There is one way to go, by the indexes, however many there are.
_KEEP_PLAN: Final = "CYPHER replan=skip "


async def recall(
    session: AsyncSession,
    within: Within,
    names: Sequence[str],
    metadata: Mapping[str, object],
    seconds: float,
) -> Recollection:
    """See the port. One statement, one more where it finds nothing or the scope names no user."""

    async def run(name: str, /, **more: Any) -> list[Record]:
        text = _KEEP_PLAN + exploring.statement(name)
        query = Query(text, metadata=dict(metadata), timeout=seconds)
        result = await session.run(query, given(exploring.parameters(within, **more)))
        return [record async for record in result]

    spaces = await exploring.spaces_of(run, within)
    keys = [index_key(name) for name in names]
    aliases = [alias_term(within.project_id, space, name) for name in names for space in spaces]
    rows = await run(
        "recall",
        refs=[{"space": space, "key": key} for key in keys for space in spaces],
        keys=keys,
        spaces=spaces,
        aliases=" OR ".join(aliases[:_MAX_CLAUSES]),
        most_entities=MOST_ENTITIES,
        near=NEAR,
        far=FAR,
        widest=WIDEST,
    )
    if rows:
        return Recollection([_clue(row) for row in rows])
    return Recollection([], has_entities=bool(await run("any_entity", spaces=spaces)))


async def warm_up(session: AsyncSession, seconds: float) -> None:
    """Has the statement planned, by asking about a project that there cannot be."""
    nobody = Within("", Scope(user_id=""))
    await recall(session, nobody, ["nobody"], transaction_metadata([]), seconds)


def _clue(row: Record) -> Clue:
    return Clue(exploring.stated_relation(row), row["degree"], row["through"])

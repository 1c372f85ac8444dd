"""Follows the relations of a question's entities in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from server.graph.model import StatedRelation
from server.graph.names import Joins, Pair, StatedAlias, pair_of, with_splits
from server.memories.memory import today
from server.memories.queries import RecallQuery
from server.memories.search.question_clues import Clue, Recollection
from server.storage.postgres.filters import scope_condition
from server.storage.postgres.rows import FUNCTIONAL, to_entities, to_relations
from server.storage.postgres.statements import BoundStatement, load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row

MOST_ENTITIES: Final = 16
"""The maximum number of entities to follow: the ones with the fewest relations."""

NEAR: Final = 50
"""The maximum number of relations of such an entity: the newest ones."""

FAR: Final = 50
"""The maximum number of relations one hop further, for each such entity."""

WIDEST: Final = 100
"""Entities with more relations than this are not followed further."""

MOST_SPACES: Final = 50
"""The maximum number of graph spaces that are searched for a scope without a user."""

_MOST_COUNTED: Final = 1000
"""An entity's relations are counted up to this number."""

_RELATIONS_FOR_SPACES: Final = 500
"""A scope without a user is searched in the graph spaces of this many of its newest relations."""

_LONGEST_KEY_BYTES: Final = 512

SQL = load_sql("recall.sql", "relations.sql")
_SPLITS = load_sql("subgraphs.sql")["splits"]


async def recall(connection: Connection, query: RecallQuery) -> Recollection:
    """Implements `MemoryStore.recall` with two statements, or four where names have aliases."""
    spaces = await _spaces(connection, query)
    places = _places(spaces, query.names, {})
    rows = await connection.fetch(*recall_statement(query, spaces, places))
    if rows[0]["has_aliases"]:
        joins = await _joins(connection, query, spaces)
        joined = _places(spaces, query.names, joins)
        if joined != places:
            rows = await connection.fetch(*recall_statement(query, spaces, joined))
    has_entities = rows[0]["has_relations"]
    rows = [row for row in rows if row["memory_id"] is not None]
    clues = [Clue(row["memory_id"], row["degree"], row["through"]) for row in rows]
    near = [row for row in rows if not row["through"]] if query.with_relations else []
    relations = await _read_stated(connection, query.project_id, near)
    return Recollection(clues, relations, has_entities=has_entities)


_Place = tuple[str, str]
"""A graph space, and the key of a name there."""


def _places(
    spaces: Sequence[str], names: Sequence[str], joins: Mapping[str, Joins]
) -> list[_Place]:
    """Returns where to look in each space: at the names, and at names that it joins to them."""
    return [
        (space, _index_key(key))
        for space in spaces
        for key in _with_other_names(names, joins.get(space))
    ]


async def _joins(
    connection: Connection, query: RecallQuery, spaces: Sequence[str]
) -> dict[str, Joins]:
    """Returns the joins of each space, by the aliases that memories of the scope state."""
    rows = await connection.fetch(
        *_bound("memories_with_aliases", query, spaces=spaces, visible_on=today(query.at))
    )
    splits: dict[str, set[Pair]] = {}
    for row in await connection.fetch(
        *_SPLITS(project_id=query.project_id, spaces=spaces, time=query.at)
    ):
        splits.setdefault(row["space"], set()).add(pair_of(row["name"], row["other_name"]))
    aliases: dict[str, list[StatedAlias]] = {}
    for row in rows:
        pairs = splits.get(row["space"], set())
        entities, _ = with_splits(to_entities(row["entities"]), (), row["text"], pairs)
        aliases.setdefault(row["space"], []).extend(
            StatedAlias(str(row["memory_id"]), entity.name, alias)
            for entity in entities
            for alias in entity.aliases
        )
    return {space: Joins(stated) for space, stated in aliases.items()}


def _with_other_names(names: Sequence[str], joins: Joins | None) -> Iterable[str]:
    """Returns the names, and all other names of their entities."""
    if joins is None:
        return dict.fromkeys(names)
    meant = {joins.key(name) for name in names}
    others = (alias for alias, entity in joins.resolved.items() if entity in meant)
    return dict.fromkeys([*names, *meant, *others])


async def _spaces(connection: Connection, query: RecallQuery) -> list[str]:
    own = query.scope.graph_space()
    if query.scope.user_id is not None:
        return [own]
    rows = await connection.fetch(
        *_bound(
            "spaces",
            query,
            visible_on=today(query.at),
            looked_at=_RELATIONS_FOR_SPACES,
            most_spaces=MOST_SPACES,
        )
    )
    others = sorted({row["space"] for row in rows} - {own})
    return [own, *others][:MOST_SPACES]


def recall_statement(
    query: RecallQuery, spaces: Sequence[str], places: Sequence[_Place]
) -> BoundStatement:
    """Returns the statement that follows the entities at these places; see recall.sql."""
    return _bound(
        "recall",
        query,
        name_spaces=[space for space, _ in places],
        name_keys=[key for _, key in places],
        spaces=spaces,
        visible_on=today(query.at),
        at=query.at,
        **FUNCTIONAL,
        counted=_MOST_COUNTED,
        most_entities=MOST_ENTITIES,
        near=NEAR,
        widest=WIDEST,
        far=FAR,
    )


async def _read_stated(
    connection: Connection, project_id: str, rows: Sequence[Row]
) -> list[StatedRelation]:
    """Returns the relations of these rows as their memories state them, each once."""
    if not rows:
        return []
    places = list(dict.fromkeys((row["memory_id"], row["ordinal"]) for row in rows))
    found = await connection.fetch(
        *SQL["stated"](
            project_id=project_id,
            memory_ids=[memory_id for memory_id, _ in places],
            ordinals=[ordinal for _, ordinal in places],
        )
    )
    relation_at = {
        (row["memory_id"], row["ordinal"]): StatedRelation(
            to_relations([row["relation"]])[0], row["memory_id"], row["event_time"]
        )
        for row in found
    }
    return [relation_at[place] for place in places if place in relation_at]


def _bound(name: str, query: RecallQuery, **values: object) -> BoundStatement:
    scope = scope_condition(query.scope)
    statement = SQL[name].fill(scope=scope.text)
    return statement(project_id=query.project_id, **scope.values, **values)


def _index_key(key: str) -> str:
    """Returns a key as `entity_key_of` in PostgreSQL returns it: a digest for a long key."""
    encoded = key.encode()
    if len(encoded) <= _LONGEST_KEY_BYTES:
        return key
    return hashlib.sha256(encoded).hexdigest()

"""Between values and the rows that statements take and give."""

from __future__ import annotations

from datetime import UTC, date, datetime

from neo4j import Record
from neo4j.time import DateTime

from server.adapters.neo4j.edges import Statement
from server.adapters.neo4j.keys import index_key
from server.adapters.neo4j.terms import entity_terms
from server.domain.graph import MemorySubgraph
from server.domain.graph import entity_key as key_of_name
from server.domain.mentions import EntityKey, Mention
from server.domain.scope import Scope
from server.domain.supersession import Holding

Row = dict[str, str | int | datetime | list[str] | None]


def memory_identity(subgraph: MemorySubgraph) -> tuple[str, str]:
    """What identifies a memory's node."""
    return subgraph.project_id, str(subgraph.memory_id)


def memory(subgraph: MemorySubgraph) -> Row:
    """A memory's node."""
    return {
        "project_id": subgraph.project_id,
        "memory_id": str(subgraph.memory_id),
        "version": subgraph.version,
        **_scope(subgraph.scope),
    }


def entity(naming: Mention) -> Row:
    """An entity's node, with the mention that may give it its name."""
    return {
        "project_id": naming.entity.project_id,
        "space": naming.entity.space,
        "key": naming.entity.key,
        "name": naming.name,
        "type": naming.type,
        "rank": naming.rank,
        "aliases": list(naming.aliases),
    }


def entity_key(key: EntityKey) -> Row:
    """What identifies an entity's node."""
    return {"project_id": key.project_id, "space": key.space, "key": key.key}


def found_by(record: Record) -> Row:
    """The properties by which an entity is found under its names, from a row that has these."""
    aliases = record["aliases"] or []
    project_id, space = record["project_id"], record["space"]
    return {
        "terms": entity_terms(project_id, space, record["name"], aliases),
        "alias_keys": [index_key(key_of_name(alias)) for alias in aliases] or None,
    }


def mention(value: Mention) -> Row:
    """A relationship MENTIONS."""
    return {
        "memory_id": value.memory_id,
        **entity(value),
        # Most entities have none, and an absent property costs nothing.
        "aliases": list(value.aliases) or None,
    }


def statement(value: Statement) -> Row:
    """A relationship RELATES_TO."""
    return {
        "project_id": value.source.project_id,
        "space": value.source.space,
        "memory_id": value.memory_id,
        "source": value.source.key,
        "relation": value.relation,
        "target": value.target.key,
        "event_time": value.event_time.astimezone(UTC),
        "slot": value.slot,
        "expires_on": value.expires_on.isoformat() if value.expires_on else None,
        **_scope(value.scope),
    }


def read_mention(record: Record) -> Mention:
    """The mention that a row of `stored_mentions` holds."""
    key = EntityKey(record["project_id"], record["space"], record["key"])
    return Mention(
        record["memory_id"],
        key,
        record["name"],
        record["type"],
        own_name=record["rank"].startswith("0"),
        aliases=tuple(record["aliases"] or ()),
    )


def read_statement(record: Record) -> Statement:
    """The statement that a row of `stored_relations` holds."""
    project_id, space = record["project_id"], record["space"]
    return Statement(
        record["memory_id"],
        EntityKey(project_id, space, record["source"]),
        record["relation"],
        EntityKey(project_id, space, record["target"]),
        read_time(record["event_time"]),
        read_scope(record),
        date.fromisoformat(record["expires_on"]) if record["expires_on"] else None,
    )


def read_scope(record: Record) -> Scope:
    """The scope in a row that has its four fields."""
    return Scope(record["user_id"], record["agent_id"], record["app_id"], record["run_id"])


def holding(record: Record) -> Holding:
    """What a row of `slot_relations` states."""
    return Holding(record["memory_id"], record["target"], read_time(record["valid_from"]))


def read_time(value: DateTime) -> datetime:
    """An instant, in UTC."""
    return value.to_native().astimezone(UTC)


def _scope(scope: Scope) -> Row:
    return {
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "app_id": scope.app_id,
        "run_id": scope.run_id,
    }

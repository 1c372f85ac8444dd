"""Converts rows of PostgreSQL to domain objects and back; parameters that statements share."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import numpy as np
from asyncpg.pgproto import pgproto

from server.core.values import Vector
from server.graph.model import Entity, Relation
from server.graph.project.supersession import FUNCTIONAL_PREFIXES, FUNCTIONAL_RELATIONS
from server.memories.add.inference import Candidate, Category
from server.memories.add.proposals import Notice, NoticeReason
from server.memories.conversation import Role
from server.memories.memory import Evidence, Memory, Provenance
from server.memories.passages import Passage
from server.memories.scope import Scope
from server.projects.project import ApiKey, KeyRole, Principal, Project

if TYPE_CHECKING:
    import asyncpg


# The header of a `halfvec` in binary form: the count of its numbers, and a zero.
# https://github.com/pgvector/pgvector/blob/master/src/halfvec.c (halfvec_send)
_HALFVEC_HEAD: Final = struct.Struct(">HH")


def to_halfvec(vector: Vector) -> bytes:
    """Returns the vector in half precision and binary form, as it is stored and compared."""
    numbers = np.frombuffer(vector, dtype=np.float32).astype(">f2")
    return _HALFVEC_HEAD.pack(len(vector), 0) + numbers.tobytes()


def from_halfvec(value: bytes) -> Vector:
    """Returns the stored vector in single precision."""
    numbers = np.frombuffer(value, dtype=">f2", offset=_HALFVEC_HEAD.size)
    return array("f", numbers.astype(np.float32).tobytes())


if TYPE_CHECKING:
    # asyncpg types a column's value as Any: the statement determines its type.
    Row = asyncpg.Record | Mapping[str, Any]


def to_scope(row: Row) -> Scope:
    """Returns the scope in the columns user_id, agent_id, app_id and run_id."""
    return Scope(row["user_id"], row["agent_id"], row["app_id"], row["run_id"])


def to_memory(row: Row) -> Memory:
    """Returns the memory in a row of the block `memory_columns`."""
    return Memory(
        id=row["memory_id"],
        project_id=row["project_id"],
        scope=to_scope(row),
        text=row["text"],
        metadata=row["metadata"],
        categories=tuple(row["categories"]),
        immutable=row["immutable"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        event_time=row["event_time"],
        expiration_date=row["expiration_date"],
        inferred=row["inferred"],
        role=Role(row["role"]) if row["role"] else None,
        name=row["name"],
        version=row["version"],
        provenance=to_provenance(row),
        entities=to_entities(row["entities"]),
        relations=to_relations(row["relations"]),
    )


def to_provenance(row: Row) -> Provenance:
    """Returns the provenance of a state: its call's columns, and its evidence, if it has any."""
    return Provenance(
        call_id=row["call_id"],
        request_id=row["request_id"],
        correlation_id=row["correlation_id"],
        key_id=row["key_id"],
        embedding_model=row["embedding_model"],
        language_model=row["language_model"],
        prompt_version=row["prompt_version"],
        evidence=tuple(map(_to_evidence, row["evidence"] or ())),
    )


def _to_evidence(value: Mapping[str, Any]) -> Evidence:
    # Takes a sixth of the time of Python's UUID, to read and to write.
    id_ = pgproto.UUID(value["message_id"])
    return Evidence(id_, value["quote"], value.get("message_length", 0))


def to_entities(values: Sequence[Mapping[str, Any]]) -> tuple[Entity, ...]:
    """Returns the entities in a JSON column."""
    return tuple(_to_entity(value) for value in values)


def to_relations(values: Sequence[Mapping[str, Any]]) -> tuple[Relation, ...]:
    """Returns the relations in a JSON column."""
    return tuple(
        Relation(_to_entity(value["source"]), value["relation"], _to_entity(value["target"]))
        for value in values
    )


def _to_entity(value: Mapping[str, Any]) -> Entity:
    return Entity(value["name"], value["type"], tuple(value.get("aliases", ())))


def from_entities(entities: Sequence[Entity]) -> list[dict[str, object]]:
    """Returns entities as the value of a JSON column."""
    return [
        _from_entity(entity) | ({"aliases": list(entity.aliases)} if entity.aliases else {})
        for entity in entities
    ]


def from_relations(relations: Sequence[Relation]) -> list[dict[str, object]]:
    """Returns relations as the value of a JSON column."""
    return [
        {
            "source": _from_entity(relation.source),
            "relation": relation.relation,
            "target": _from_entity(relation.target),
        }
        for relation in relations
    ]


def from_evidence(evidence: Sequence[Evidence]) -> list[dict[str, object]]:
    """Returns evidence as the value of a JSON column."""
    return [
        {"message_id": str(e.message_id), "quote": e.quote, "message_length": e.message_length}
        for e in evidence
    ]


def _from_entity(entity: Entity) -> dict[str, object]:
    return {"name": entity.name, "type": entity.type}


def to_passage(row: Row) -> Passage:
    """Returns the passage in a row of the block `passage_columns`."""
    return Passage(
        id=row["passage_id"],
        message_id=row["message_id"],
        scope=to_scope(row),
        role=Role(row["role"]),
        name=row["name"],
        text=row["text"],
        metadata=row["metadata"],
        event_time=row["event_time"],
        expiration_date=row["expiration_date"],
        create_time=row["create_time"],
    )


def to_candidate(row: Row) -> Candidate:
    """Returns a candidate in a row of `read_candidates`."""
    return Candidate(
        id=row["memory_id"],
        text=row["text"],
        version=row["version"],
        immutable=row["immutable"],
        vector=_Lazy(partial(from_halfvec, row["embedding"])),
        entities=to_entities(row["entities"]),
        relations=_Lazy(partial(to_relations, row["relations"])),
        role=Role(row["role"]) if row["role"] else None,
        name=row["name"],
    )


ItemT = TypeVar("ItemT")


class _Lazy(Sequence[ItemT]):
    """The content of a column, decoded at its first use.

    Every add gets twenty candidates, but needs most columns only of candidates that it changes.
    """

    __slots__ = ("_decode", "_items")

    def __init__(self, decode: Callable[[], Sequence[ItemT]]) -> None:
        self._decode = decode
        self._items: Sequence[ItemT] | None = None

    def _decoded(self) -> Sequence[ItemT]:
        if self._items is None:
            self._items = self._decode()
        return self._items

    @overload
    def __getitem__(self, index: int) -> ItemT: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ItemT]: ...

    def __getitem__(self, index: int | slice) -> ItemT | Sequence[ItemT]:
        return self._decoded()[index]

    def __len__(self) -> int:
        return len(self._decoded())


def from_notices(notices: Sequence[Notice]) -> list[dict[str, str]]:
    """Returns notices as the value of a JSON column."""
    return [{"reason": notice.reason.value, "text": notice.text} for notice in notices]


def to_notices(values: Sequence[Mapping[str, str]]) -> tuple[Notice, ...]:
    """Returns the notices in a JSON column."""
    return tuple(Notice(NoticeReason(value["reason"]), value["text"]) for value in values)


def to_project(row: Row) -> Project:
    """Returns a project in a row of `projects`."""
    return Project(
        id=row["project_id"],
        org_id=row["org_id"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        custom_instructions=row["custom_instructions"],
        custom_categories=to_categories(row["custom_categories"]),
        default_retention_days=row["default_retention_days"],
        delete_time=row["delete_time"],
        keeps_passages=row["keeps_passages"],
    )


def to_categories(values: Sequence[Mapping[str, str]]) -> tuple[Category, ...]:
    """Returns the categories in a JSON column."""
    return tuple(Category(value["name"], value["description"]) for value in values)


def from_categories(categories: Sequence[Category]) -> list[dict[str, str]]:
    """Returns categories as the value of a JSON column."""
    return [{"name": category.name, "description": category.description} for category in categories]


def to_api_key(row: Row) -> ApiKey:
    """Returns a key in a row of `list_keys`."""
    return ApiKey(
        id=row["key_id"],
        org_id=row["org_id"],
        project_id=row["project_id"],
        label=row["label"],
        create_time=row["create_time"],
        revoke_time=row["revoke_time"],
        role=KeyRole(row["role"]),
        scope=_confinement(row),
        expire_time=row["expire_time"],
        last_use_time=row["last_use_time"],
    )


def to_principal(row: Row) -> Principal:
    """Returns the principal in a row of `find_principal`."""
    return Principal(
        key_id=row["key_id"],
        org_id=row["org_id"],
        project_id=row["project_id"],
        role=KeyRole(row["role"]),
        scope=_confinement(row),
    )


def _confinement(row: Row) -> Scope | None:
    """Returns the scope that a key is confined to, if it is."""
    scope = to_scope(row)
    return scope if scope.parts() else None


FUNCTIONAL: Final[Mapping[str, Sequence[str]]] = {
    "functional": sorted(FUNCTIONAL_RELATIONS),
    "functional_patterns": [prefix.replace("_", r"\_") + "%" for prefix in FUNCTIONAL_PREFIXES],
}
"""The parameters of the block `is_functional` in relations.sql."""

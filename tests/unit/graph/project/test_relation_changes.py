"""The reported changes of relations when a memory changes."""

from __future__ import annotations

from server.graph.model import Entity, Relation
from server.graph.project.supersession import ChangedRelation, changed_relations
from server.memories.memory import EventType


def relation(target: str, kind: str = "lives_in", source: str = "Alice") -> Relation:
    return Relation(Entity(source), kind, Entity(target))


OSLO, PARIS, TEA = relation("Oslo"), relation("Paris"), relation("tea", "likes")


def test_a_new_memory_adds_and_a_deleted_one_deletes() -> None:
    assert changed_relations((), [OSLO, TEA]) == [
        ChangedRelation(OSLO, EventType.ADD),
        ChangedRelation(TEA, EventType.ADD),
    ]
    assert changed_relations([OSLO], ()) == [ChangedRelation(OSLO, EventType.DELETE)]


def test_a_new_target_is_an_update() -> None:
    assert changed_relations([OSLO], [PARIS]) == [ChangedRelation(PARIS, EventType.UPDATE)]
    assert changed_relations([OSLO], [PARIS, relation("Rome")]) == [
        ChangedRelation(PARIS, EventType.UPDATE),
        ChangedRelation(relation("Rome"), EventType.ADD),
    ]


def test_unchanged_relations_are_not_reported() -> None:
    assert changed_relations([OSLO, TEA], [relation("OSLO")]) == [
        ChangedRelation(TEA, EventType.DELETE)
    ]
    assert changed_relations([OSLO, PARIS], [OSLO, relation("Rome")]) == [
        ChangedRelation(relation("Rome"), EventType.UPDATE)
    ]

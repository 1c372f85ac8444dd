"""What a change of a memory does to the relations that it states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.domain.graph import Relation
from server.domain.memory import EventType


@dataclass(frozen=True, slots=True)
class ChangedRelation:
    """A relation that was added, deleted, or has another target now."""

    relation: Relation
    event: EventType


def changed_relations(
    before: Sequence[Relation], after: Sequence[Relation]
) -> list[ChangedRelation]:
    """What has changed; first what is stated now, in its order, then what is not any more.

    A relation whose source and kind were stated with a target that is gone is an UPDATE of it, and
    that one is not told as deleted besides. What stays as it is, is not told.
    """
    unchanged = {_identity(r) for r in before} & {_identity(r) for r in after}
    gone = [r for r in before if _identity(r) not in unchanged]
    changed: list[ChangedRelation] = []
    for relation in after:
        if _identity(relation) in unchanged:
            continue
        replaced = next((r for r in gone if _subject(r) == _subject(relation)), None)
        if replaced is not None:
            gone.remove(replaced)
        changed.append(
            ChangedRelation(relation, EventType.ADD if replaced is None else EventType.UPDATE)
        )
    return changed + [ChangedRelation(relation, EventType.DELETE) for relation in gone]


def _identity(relation: Relation) -> tuple[str, str, str]:
    return (*_subject(relation), relation.target.key)


def _subject(relation: Relation) -> tuple[str, str]:
    return relation.source.key, relation.relation

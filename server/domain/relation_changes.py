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
    unchanged = {r.identity for r in before} & {r.identity for r in after}
    gone = [r for r in before if r.identity not in unchanged]
    changed: list[ChangedRelation] = []
    for relation in after:
        if relation.identity in unchanged:
            continue
        replaced = next((r for r in gone if r.subject == relation.subject), None)
        if replaced is not None:
            gone.remove(replaced)
        changed.append(
            ChangedRelation(relation, EventType.ADD if replaced is None else EventType.UPDATE)
        )
    return changed + [ChangedRelation(relation, EventType.DELETE) for relation in gone]

"""Lists, splits and rejoins the names that memories join to one entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.core.clock import Clock
from server.core.errors import FieldViolation, InvalidRequest
from server.graph.model import clean_name, entity_key
from server.graph.names import Joins, Split, StatedAlias, pair_of
from server.memories.ports import MemoryStore
from server.memories.queries import AliasCount


class JoinState(StrEnum):
    """Whether an alias that memories state is joined, ambiguous or split."""

    JOINED = "joined"
    AMBIGUOUS = "ambiguous"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class NameJoin:
    """Two names of a graph space, and whether they are one entity.

    `memories` counts the memories that state it; for a split they are not counted.
    """

    space: str
    name: str
    alias: str
    state: JoinState
    memories: int | None


class EntityJoins:
    """Lists, splits and rejoins names. Methods raise StoreUnavailable if PostgreSQL is down."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list(self, project_id: str, space: str | None = None) -> list[NameJoin]:
        """Returns names that are joined, ambiguous or split, in one graph space or in all."""
        by_space: dict[str, list[AliasCount]] = {}
        for each in await self._store.stated_aliases(project_id, space):
            by_space.setdefault(each.space, []).append(each)
        spaces = None if space is None else [space]
        splits = await self._store.splits(project_id, spaces, self._clock.now())
        found = [join for aliases in by_space.values() for join in _joins(aliases)]
        found += [NameJoin(s.space, s.name, s.other_name, JoinState.SPLIT, None) for s in splits]
        return sorted(found, key=lambda join: (join.space, join.name, join.alias))

    async def split(self, project_id: str, space: str, name: str, alias: str) -> int:
        """Splits two names permanently, and returns the number of memories to project again.

        Repeating it is harmless. No old or new memory can join the names again.

        Raises:
            InvalidRequest: no memory of the space joins them.
        """
        split = self._split(space, name, alias)
        known = await self._store.splits(project_id, [space], self._clock.now())
        stated = await self._store.stated_aliases(project_id, space)
        pairs = {each.pair for each in known} | {pair_of(each.name, each.alias) for each in stated}
        if split.pair not in pairs:
            rule = f"no memory of {space} joins these names"
            raise InvalidRequest([FieldViolation("alias", rule)])
        return await self._store.split(project_id, split)

    async def rejoin(self, project_id: str, space: str, name: str, alias: str) -> None:
        """Undoes a split, so that the names are joined again if memories state it.

        Raises:
            InvalidRequest: these names were not split.
        """
        if not await self._store.rejoin(project_id, self._split(space, name, alias)):
            rule = f"in {space} these names are not split"
            raise InvalidRequest([FieldViolation("alias", rule)])

    def _split(self, space: str, name: str, alias: str) -> Split:
        return Split(space, clean_name(name), clean_name(alias), self._clock.now())


def _joins(aliases: Sequence[AliasCount]) -> list[NameJoin]:
    """Returns the joins of one space."""
    joins = Joins(StatedAlias("", each.name, each.alias) for each in aliases)
    return [
        NameJoin(
            each.space,
            each.name,
            each.alias,
            JoinState.JOINED
            if joins.key(entity_key(each.alias)) == joins.key(entity_key(each.name))
            else JoinState.AMBIGUOUS,
            each.memories,
        )
        for each in aliases
    ]

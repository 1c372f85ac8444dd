"""Takes the lease of a scope and reads what an inferred add needs to know, in one statement.

The statement returns the ids and states of the candidates. Their content is read once for each
state, because an add is shown mostly the same memories as the add before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from server.core.background import in_thread_if_many
from server.core.caches import SizedCache
from server.core.values import Vector
from server.memories.add.inference import Candidate
from server.memories.changes import Addition, ChangeSet, Deletion, Update
from server.memories.queries import AddInputs, Committed
from server.operations.ports import ScopeLease
from server.storage.postgres.rows import to_candidate, to_categories, to_halfvec
from server.storage.postgres.scope_index import State
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database
    from server.storage.postgres.rows import Row

SQL = load_sql("adding.sql", "leases.sql")


_BYTES_PER_CANDIDATE: Final = 2_500
"""The size of a candidate without its text and vector, with a few entities and relations."""

_BYTES_PER_CHARACTER: Final = 4
_BYTES_PER_NUMBER: Final = 4


def _byte_size(candidate: Candidate) -> int:
    return (
        _BYTES_PER_CANDIDATE
        + _BYTES_PER_CHARACTER * len(candidate.text)
        + _BYTES_PER_NUMBER * len(candidate.vector)
    )


class AddInputsReader:
    """Reads what inferred adds need, and caches candidates, up to a number of bytes."""

    def __init__(self, database: Database, server_id: int | None, most_bytes: int) -> None:
        """The server with `server_id` holds the leases."""
        self._database = database
        self._server_id = server_id
        self._kept: SizedCache[tuple[str, UUID, State], Candidate] = SizedCache(
            most_bytes, _byte_size
        )

    async def begin(
        self,
        lease: ScopeLease,
        duration: timedelta,
        vectors: Sequence[Vector],
        limit: int,
        visible_on: date,
    ) -> AddInputs | None:
        """Takes the lease and reads; see `MemoryStore.begin_add`."""
        project_id = lease.project_id
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                *SQL["begin_add"](
                    project_id=project_id,
                    scope_key=lease.scope_key,
                    lease=lease.lease_id,
                    duration=duration,
                    server_id=self._server_id,
                    vectors=[to_halfvec(vector) for vector in vectors],
                    limit=limit,
                    visible_on=visible_on,
                )
            )
            if row is None:
                return None
            candidates = await self._candidates(connection, project_id, _states(row))
        if row["keeps_passages"] is None:
            # There is no such project.
            return AddInputs(candidates)
        return AddInputs(
            candidates,
            row["custom_instructions"],
            to_categories(row["custom_categories"]),
            row["keeps_passages"],
        )

    def keep(self, changes: ChangeSet, committed: Committed) -> None:
        """Keeps the memories of an add with inference as candidates of the next one."""
        if changes.lease is not None:
            for candidate in _written(changes, committed):
                state = State(candidate.version, changes.call.time)
                self._kept.put((changes.call.project_id, candidate.id, state), candidate)

    async def _candidates(
        self, connection: Connection, project_id: str, states: Mapping[UUID, State]
    ) -> list[Candidate]:
        """Returns the candidates in this order, except those that no longer exist."""
        found = {id_: self._kept.get((project_id, id_, state)) for id_, state in states.items()}
        if missing := [id_ for id_, candidate in found.items() if candidate is None]:
            rows = await connection.fetch(
                *SQL["read_candidates"](project_id=project_id, memory_ids=missing)
            )
            for state, candidate in await in_thread_if_many(len(rows), _read, rows):
                self._kept.put((project_id, candidate.id, state), candidate)
                found[candidate.id] = candidate
        return [candidate for candidate in found.values() if candidate is not None]


def _states(row: Row) -> dict[UUID, State]:
    """Returns the states of the candidates in a row of `begin_add`, the nearest first."""
    if row["memory_ids"] is None:
        return {}
    states = map(State, row["versions"], row["update_times"])
    return dict(zip(row["memory_ids"], states, strict=True))


def _read(rows: Sequence[Row]) -> list[tuple[State, Candidate]]:
    return [(State(row["version"], row["update_time"]), to_candidate(row)) for row in rows]


def _written(changes: ChangeSet, committed: Committed) -> Iterator[Candidate]:
    """Yields the memories that a commit wrote."""
    for change in changes.changes:
        if isinstance(change, Deletion):
            continue
        if isinstance(change, Addition) and change.memory_id not in committed.added:
            continue
        yield Candidate(
            id=change.memory_id,
            text=change.text,
            version=change.version + 1 if isinstance(change, Update) else 1,
            # An immutable memory is never updated.
            immutable=changes.immutable and isinstance(change, Addition),
            vector=change.embedding,
            entities=change.entities,
            relations=change.relations,
            role=change.role,
            name=change.name,
        )

"""The items that a statement or a scope index proposes, and the memories and passages found.

Found items that an index ranked are cached: the search's statement has just checked their ids and
states (ADR 0054), and the content of a state never changes. Other items are read every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

import numpy as np

from server.core.background import in_thread_if_many
from server.core.caches import SizedCache
from server.memories.memory import Memory
from server.memories.passages import Passage, Source
from server.memories.queries import SearchQuery
from server.memories.search.fusion import Scored, short_shares
from server.memories.search.question_clues import Speaker, speakers_asked
from server.memories.search.ranking import (
    NO_MESSAGE,
    Flags,
    Halves,
    Numbers,
    Scores,
    Vectors,
)
from server.memories.search.time_spans import closeness
from server.storage.postgres.rows import to_memory, to_passage
from server.storage.postgres.scope_index import (
    State,
    number_of_value,
    vector_in,
)
from server.storage.postgres.search_statements import SQL
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row


@dataclass(frozen=True, slots=True)
class Candidates:
    """The items that an arm or the graph proposes, in columns.

    `ids`, `event_times`, `states` and the numbers of speakers belong to all items of the source,
    which a scope index shares with its searches; `numbers` are the candidates' places in them. The
    scores, `halves` (of ids), `messages`, `lengths`, `short_shares` and `vectors` belong to the
    candidates alone, as in `Scored`. A state is None if a statement ranked the item.
    """

    numbers: Sequence[int]
    dense: Scores
    lexical: Scores
    halves: Halves
    messages: Numbers | None
    lengths: Numbers
    short_shares: Scores
    speakers: Numbers
    known_speakers: Sequence[Speaker]
    ids: Sequence[UUID]
    event_times: Sequence[datetime]
    states: Sequence[State] | None = None
    vectors: Vectors | None = None

    def identity_of(self, candidate: int) -> tuple[UUID, State | None]:
        """Returns the id of a candidate, and its state if a scope index ranked it."""
        number = self.numbers[candidate]
        return self.ids[number], None if self.states is None else self.states[number]

    def scored(self, query: SearchQuery) -> Scored:
        """Returns the scores in all arms."""
        return Scored(
            self.halves,
            self.dense,
            self.lexical,
            self.messages,
            self.lengths,
            self.short_shares,
            self._graph(query) if query.graph else None,
            self._time(query) if query.question_times else None,
            self._is_another_speaker(query.text),
            self.vectors,
        )

    def _graph(self, query: SearchQuery) -> Scores:
        return np.array([query.graph.get(self.ids[n], 0.0) for n in self.numbers], dtype=np.float64)

    def _time(self, query: SearchQuery) -> Scores:
        times = query.question_times
        close = [closeness(self.event_times[number], times) for number in self.numbers]
        return np.array(close, dtype=np.float64)

    def _is_another_speaker(self, question: str) -> Flags | None:
        """Returns None if the question asks for the words of none of the speakers."""
        numbers = self.speakers.tolist()
        speakers = {self.known_speakers[number]: number for number in set(numbers)}
        asked = speakers_asked(question, speakers)
        if asked is None:
            return None
        wanted = {speakers[speaker] for speaker in asked}
        return np.array([number not in wanted for number in numbers], dtype=np.bool_)


def candidates_of(rows: Sequence[Row]) -> Candidates:
    """Returns the candidates in the rows of a ranking statement."""
    ids = [row["memory_id"] for row in rows]
    halves = np.frombuffer(b"".join([id_.bytes for id_ in ids]), dtype=">u8").reshape(-1, 2)
    high, low = halves.astype(np.uint64).T
    messages: dict[UUID | None, int] = {None: NO_MESSAGE}
    speakers: dict[Speaker, int] = {}
    numbers = _numbers(number_of_value(row["message_id"], messages) for row in rows)
    lengths = _numbers(row["text_length"] for row in rows)
    return Candidates(
        numbers=range(len(rows)),
        dense=np.array([row["dense"] for row in rows], dtype=np.float64),
        lexical=np.array([row["lexical"] for row in rows], dtype=np.float64),
        halves=(high, low),
        messages=numbers,
        lengths=lengths,
        short_shares=short_shares(numbers, lengths),
        speakers=_numbers(number_of_value((row["role"], row["name"]), speakers) for row in rows),
        known_speakers=list(speakers),
        ids=ids,
        event_times=[row["event_time"] for row in rows],
        vectors=_vectors([row["embedding"] for row in rows]),
    )


def _vectors(sent: Sequence[bytes | None]) -> Vectors | None:
    """Returns vectors sent in PostgreSQL's binary form; None if they were not requested."""
    known = [vector for vector in sent if vector is not None]
    return np.stack([vector_in(vector) for vector in known]) if known else None


def _numbers(values: Iterable[int]) -> Numbers:
    return np.array(list(values), dtype=np.int64)


Connect: TypeAlias = "Callable[[], AbstractAsyncContextManager[Connection]]"

READ_PASSAGES = load_sql("passages.sql")["read"]

Item: TypeAlias = Memory | Passage

_BYTES_PER_ITEM: Final = 3_000
"""The size of an item without its text and metadata (`tracemalloc`)."""

_BYTES_PER_CHARACTER: Final = 4
"""An upper bound; metadata count as printed text."""


class FoundItems:
    """Reads items that searches have found, once for each state if that is known."""

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes` is the approximate maximum size of all cached items."""
        self._kept: SizedCache[tuple[str, UUID, State], Item] = SizedCache(most_bytes, _byte_size)

    async def read(
        self,
        connect: Connect,
        query: SearchQuery,
        identities: Sequence[tuple[UUID, State | None]],
    ) -> list[Item | None]:
        """Returns the items with these ids, None for those that no longer exist.

        It connects only if it has to read one. The states are those that a statement of this search
        has just confirmed; an item whose state is None is read again.
        """
        project_id = query.project_id
        found = [
            None if state is None else self._kept.get((project_id, id_, state))
            for id_, state in identities
        ]
        lacking = [id_ for (id_, _), item in zip(identities, found, strict=True) if item is None]
        if not lacking:
            return found
        async with connect() as connection:
            read = await _read(connection, query, lacking)
        self._keep(project_id, read, dict(identities))
        return [
            read.get(id_) if item is None else item
            for (id_, _), item in zip(identities, found, strict=True)
        ]

    def _keep(
        self, project_id: str, items: Mapping[UUID, Item], states: Mapping[UUID, State | None]
    ) -> None:
        for id_, item in items.items():
            state = _state_of(item)
            # An item may have changed since it was ranked.
            if state == states[id_]:
                self._kept.put((project_id, id_, state), item)


def _state_of(item: Item) -> State:
    if isinstance(item, Memory):
        return State(item.version, item.update_time)
    return State(0, item.create_time)


def _byte_size(item: Item) -> int:
    characters = len(item.text) + len(str(item.metadata))
    if isinstance(item, Memory):
        characters += sum(len(evidence.quote) for evidence in item.provenance.evidence)
    return _BYTES_PER_ITEM + _BYTES_PER_CHARACTER * characters


async def _read(
    connection: Connection, query: SearchQuery, ids: Sequence[UUID]
) -> dict[UUID, Item]:
    items: dict[UUID, Item] = {}
    if Source.MEMORIES in query.sources:
        items |= await _read_memories(connection, query, ids)
    others = [id_ for id_ in ids if id_ not in items]
    if others and Source.PASSAGES in query.sources:
        items |= await _read_passages(connection, query, others)
    return items


async def _read_memories(
    connection: Connection, query: SearchQuery, ids: Sequence[UUID]
) -> dict[UUID, Memory]:
    found = {"project_id": query.project_id, "memory_ids": ids, "visible_on": query.visible_on}
    rows = await connection.fetch(
        *(
            SQL["read_hits"](**found)
            if query.time is None
            else SQL["read_past_hits"](**found, time=query.time)
        )
    )
    return await in_thread_if_many(
        len(rows), lambda: {row["memory_id"]: to_memory(row) for row in rows}
    )


async def _read_passages(
    connection: Connection, query: SearchQuery, ids: Sequence[UUID]
) -> dict[UUID, Passage]:
    rows = await connection.fetch(
        *READ_PASSAGES(
            project_id=query.project_id,
            memory_ids=ids,
            visible_on=query.visible_on,
            time=query.time,
        )
    )
    return await in_thread_if_many(
        len(rows), lambda: {row["passage_id"]: to_passage(row) for row in rows}
    )

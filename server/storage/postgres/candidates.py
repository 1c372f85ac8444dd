"""The items that the arms of a search propose, from a statement or from a scope index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from server.memories.ports import SearchQuery
from server.memories.search.fusion import Flags, Halves, Numbers, Scored, Scores
from server.memories.search.question_clues import Speaker, speakers_asked
from server.memories.search.time_spans import closeness
from server.storage.postgres.scope_index import NO_MESSAGE, State, number_of_value

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row


@dataclass(frozen=True, slots=True)
class Candidates:
    """The items that an arm or the graph proposes, in columns.

    `ids`, `event_times`, `states` and the numbers of speakers belong to all items of the source,
    which a scope index shares with its searches; `numbers` are the candidates' places in them. The
    scores, `halves` (of ids) and `messages` belong to the candidates alone, as in `Scored`. A state
    is None if a statement ranked the item.
    """

    numbers: Sequence[int]
    dense: Scores
    lexical: Scores
    halves: Halves
    messages: Numbers
    speakers: Numbers
    known_speakers: Sequence[Speaker]
    ids: Sequence[UUID]
    event_times: Sequence[datetime]
    states: Sequence[State] | None = None

    def id_of(self, candidate: int) -> UUID:
        """Returns the id of a candidate."""
        return self.ids[self.numbers[candidate]]

    def state_of(self, candidate: int) -> State | None:
        """Returns the state of a candidate that a scope index ranked, else None."""
        return None if self.states is None else self.states[self.numbers[candidate]]

    def scored(self, query: SearchQuery) -> Scored:
        """Returns the scores in all arms."""
        return Scored(
            self.halves,
            self.dense,
            self.lexical,
            self.messages,
            self._graph(query) if query.graph else None,
            self._time(query) if query.question_times else None,
            self._is_another_speaker(query.text),
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
    return Candidates(
        numbers=range(len(rows)),
        dense=np.array([row["dense"] for row in rows], dtype=np.float64),
        lexical=np.array([row["lexical"] for row in rows], dtype=np.float64),
        halves=(high, low),
        messages=_numbers(number_of_value(row["message_id"], messages) for row in rows),
        speakers=_numbers(number_of_value((row["role"], row["name"]), speakers) for row in rows),
        known_speakers=list(speakers),
        ids=ids,
        event_times=[row["event_time"] for row in rows],
    )


def _numbers(values: Iterable[int]) -> Numbers:
    return np.array(list(values), dtype=np.int64)

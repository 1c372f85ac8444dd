"""The items of a scope in a server's memory, so that a search need not read all of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from uuid import UUID

import numpy as np

from server.core.clock import microseconds
from server.memories.search.question_clues import Speaker
from server.memories.search.ranking import NO_MESSAGE, Flags, Numbers, Vectors

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = date.max.toordinal()
_HALF: Final = 2**64
_NO_ID: Final = UUID(int=0)
_COLUMNS: Final = (
    *("stamp", "scope", "created", "happened", "length", "expires"),
    *("speaker", "high", "low", "message", "message_high", "message_low"),
)

_LEAST_ROOM: Final = 8
_BYTES_PER_PLACE: Final = 2
_BYTES_PER_ENTRY: Final = 4 + 2

_BYTES_PER_ITEM: Final = 950
_BYTES_PER_WORD: Final = 480
"""The size of an item without its vector and occurrences, with derived values (`tracemalloc`)."""


class Occurrences(NamedTuple):
    """The numbers of the items that contain a word, how often each does, and all the places."""

    items: array[int]
    counts: array[int]
    places: bytearray


class State(NamedTuple):
    """The identity of an item's state, which never changes: version and time.

    A passage has version 0.

    The version alone is not enough, because deleting a project and importing it from an archive can
    give a memory the same version twice.
    """

    version: int
    update_time: datetime


class ScopeIndex:
    """The items of a scope, memories and passages, in columns; each has a number, from 0.

    An item that is changed gets a new number. Numbers of removed items are not used again.
    """

    def __init__(self, dimensions: int) -> None:
        self.changes = 0
        self.digest = 0
        self.newest = EARLIEST
        self.ids: list[UUID] = []
        self.event_times: list[datetime] = []
        self.states: list[State] = []
        self._vectors: Vectors = np.empty((_LEAST_ROOM, dimensions), dtype=np.float32)
        self._numbers: dict[UUID, int] = {}
        self._occurrences: dict[bytes, Occurrences] = {}
        self._scopes: dict[bytes, int] = {}
        self._messages: dict[UUID | None, int] = {None: NO_MESSAGE}
        self._speakers: dict[Speaker, int] = {}
        self._columns = {name: array("q") for name in _COLUMNS}
        self._occurrence_bytes = 0
        self._alive = array("b")

    def __len__(self) -> int:
        """Returns the number of items in the scope."""
        return len(self._numbers)

    @property
    def size(self) -> int:
        """How many numbers have been assigned, including those of removed items."""
        return len(self.ids)

    @property
    def dimensions(self) -> int:
        """The length of the vectors."""
        return int(self._vectors.shape[1])

    @property
    def byte_size(self) -> int:
        """The approximate size of the index in memory."""
        return (
            self._vectors.nbytes
            + self.size * _BYTES_PER_ITEM
            + len(self._occurrences) * _BYTES_PER_WORD
            + self._occurrence_bytes
        )

    def put(self, rows: Iterable[Row]) -> None:
        """Adds items, and replaces those that have changed."""
        for row in rows:
            number = self._numbers.get(row["memory_id"])
            if number is None or self._columns["stamp"][number] != row["stamp"]:
                self._drop(row["memory_id"])
                self._append(row)

    def keep_only(self, stamps: Mapping[UUID, int]) -> list[UUID]:
        """Removes all other items, and returns the ids of missing ones."""
        for id_ in [id_ for id_ in self._numbers if self._stamp(id_) != stamps.get(id_)]:
            self._drop(id_)
        return [id_ for id_ in stamps if id_ not in self._numbers]

    def number_of(self, id_: UUID) -> int | None:
        """Returns the number of an item of the scope."""
        return self._numbers.get(id_)

    def vectors(self) -> Vectors:
        """Returns the embeddings by number."""
        return self._vectors[: self.size]

    def speakers(self) -> list[Speaker]:
        """Returns the speakers by their numbers in the column `speaker`."""
        return list(self._speakers)

    def column(self, name: str) -> Numbers:
        """Returns a column by number; times are microseconds, dates days, ids two halves."""
        return np.array(self._columns[name], dtype=np.int64)

    def is_present(self) -> Flags:
        """Returns for each number whether it belongs to an item of the scope."""
        return np.array(self._alive, dtype=np.bool_)

    def occurrences(self, word: bytes) -> Occurrences | None:
        """Returns the occurrences of a word, also in removed items, by their numbers."""
        return self._occurrences.get(word)

    def _stamp(self, id_: UUID) -> int:
        return self._columns["stamp"][self._numbers[id_]]

    def _drop(self, id_: UUID) -> None:
        number = self._numbers.pop(id_, None)
        if number is not None:
            self.changes += 1
            self._alive[number] = False
            self.digest ^= self._columns["stamp"][number]

    def _append(self, row: Row) -> None:
        number = self.size
        self._set_vector(number, row["vector"])
        self.changes += 1
        self._numbers[row["memory_id"]] = number
        self._alive.append(True)
        self.digest ^= row["stamp"]
        self.newest = max(self.newest, row["create_time"])
        self.ids.append(row["memory_id"])
        self.event_times.append(row["event_time"])
        self.states.append(State(row["version"], row["update_time"]))
        for name, value in self._columns_of(row):
            self._columns[name].append(value)
        for word, places in words_in(row["words"]):
            found = self._occurrences.get(word)
            if found is None:
                found = self._occurrences[word] = Occurrences(array("I"), array("H"), bytearray())
            found.items.append(number)
            found.counts.append(len(places) // _BYTES_PER_PLACE)
            found.places.extend(places)
            self._occurrence_bytes += _BYTES_PER_ENTRY + len(places)

    def _columns_of(self, row: Row) -> Iterator[tuple[str, int]]:
        yield "stamp", row["stamp"]
        yield "scope", number_of_value(row["scope_key"], self._scopes)
        yield "created", microseconds(row["create_time"])
        yield "happened", microseconds(row["event_time"])
        yield "length", row["text_length"]
        yield "expires", row["expiration_date"].toordinal() if row["expiration_date"] else NEVER
        yield "speaker", number_of_value((row["role"], row["name"]), self._speakers)
        yield from zip(("high", "low"), _halves(row["memory_id"]), strict=True)
        message_id = row["message_id"]
        yield (
            "message",
            NO_MESSAGE if message_id is None else number_of_value(message_id, self._messages),
        )
        yield from zip(("message_high", "message_low"), _halves(message_id or _NO_ID), strict=True)

    def _set_vector(self, number: int, sent: bytes) -> None:
        if number == len(self._vectors):
            room = np.empty((2 * number, self.dimensions), dtype=np.float32)
            room[:number] = self._vectors
            self._vectors = room
        self._vectors[number] = vector_in(sent)


_T = TypeVar("_T")


def number_of_value(value: _T, known: dict[_T, int]) -> int:
    """Returns the number of a known value; another one gets the next number."""
    return known.setdefault(value, len(known))


def vector_in(sent: bytes) -> Vectors:
    """Returns the numbers of a halfvec in its binary form."""
    return np.frombuffer(sent, dtype=">f2", offset=4).astype(np.float32)


def words_in(sent: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the lexemes of a tsvector in PostgreSQL's binary form, with their encoded places.

    https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/tsvector.c
    """
    at, end = 4, len(sent)
    while at < end:
        stop = sent.index(0, at)
        places = stop + 3
        after = places + _BYTES_PER_PLACE * (sent[stop + 1] << 8 | sent[stop + 2])
        yield sent[at:stop], sent[places:after]
        at = after


def places_in(sent: bytes | bytearray) -> Numbers:
    """Returns the places of a lexeme. Their upper two bits are a weight."""
    return np.frombuffer(sent, dtype=">u2").astype(np.int64) & 0x3FFF


def _halves(id_: UUID) -> tuple[int, int]:
    """Returns the two halves of an id, signed as the columns are, in the order of ids."""
    high, low = divmod(id_.int, _HALF)
    return high - _HALF // 2, low - _HALF // 2

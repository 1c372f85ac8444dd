"""The measured calls: one coroutine function per case, called with unique numbers."""

from __future__ import annotations

import random

import grpc
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc

USERS = 50

SUBJECTS = ("sister", "brother", "colleague", "neighbour", "friend", "cousin", "boss", "teacher")
VERBS = ("likes", "visited", "bought", "painted", "repaired", "studied", "cooked", "planted")
OBJECTS = ("a bicycle", "the old harbour", "a violin", "a cherry tree", "chess", "a sailing boat")
PLACES = ("Lisbon", "Oslo", "Quito", "Seoul", "Cairo", "Dakar", "Delhi", "Lima", "Rome", "Tokyo")


def sentence(number: int) -> str:
    """Returns a declarative sentence that is unique for each number."""
    chance = random.Random(number)
    who, verb, what, where = (chance.choice(words) for words in (SUBJECTS, VERBS, OBJECTS, PLACES))
    return f"My {who} number {number} {verb} {what} in {where}."


class Cases:
    """The calls of one server; the bare server has no key."""

    def __init__(self, channel: grpc.aio.Channel, key: str = "") -> None:
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self._metadata = (("authorization", f"Token {key}"),) if key else ()

    async def add_one(self, number: int) -> None:
        """Adds one message verbatim."""
        await self._add(number, 1, infer=False)

    async def add_twenty(self, number: int) -> None:
        """Adds 20 messages verbatim."""
        await self._add(number + 10_000_000, 20, infer=False)

    async def infer(self, number: int) -> None:
        """Adds what the offline extractor infers from one message."""
        await self._add(number + 500_000_000, 1, infer=True)

    async def search(self, number: int) -> None:
        """Searches one user's memories."""
        await self._stub.SearchMemories(
            memory_service_pb2.SearchMemoriesRequest(
                user_id=user(number), query=f"Who has been to {PLACES[number % len(PLACES)]}?"
            ),
            metadata=self._metadata,
        )

    async def _add(self, number: int, messages: int, *, infer: bool) -> None:
        await self._stub.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=user(number),
                infer=infer,
                output_format="v1.1",
                messages=[
                    memory_pb2.Message(role="user", content=sentence(number * messages + index))
                    for index in range(messages)
                ],
            ),
            metadata=self._metadata,
        )


def user(number: int) -> str:
    """Returns one of 50 users."""
    return f"user-{number % USERS}"

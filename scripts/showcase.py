"""Invented people who talk to a server for a while, so that its pictures show something."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, zip_longest
from typing import TYPE_CHECKING
from uuid import UUID

import grpc
from memoir.v1 import memory_pb2, memory_service_pb2

if TYPE_CHECKING:
    from memoir.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

SHOWN_USER = "maya"
QUESTION = "Who works at Greywater?"
CHANGED = "I now work at Greywater as an architect."

TALKS = {
    "maya": (
        "I work at Brightwell as an architect. I live in Arvik.",
        "My sister Hedda lives in Belmora. Hedda works at Coldforge as a chemist.",
        "My husband Jonas works at Halcyon. Jonas plays the cello.",
        "My manager Orla lives in Arvik. Orla works at Brightwell.",
        "My colleague Piet lives in Castene. Piet works at Brightwell.",
        "My brother Goran lives in Belmora. Goran works at Greywater.",
        "My friend Kaia lives in Castene. Kaia works at Greywater.",
        "I have a dog named Biscuit. I love sailing.",
        "Kaia is married to Goran.",
        CHANGED,
    ),
    "nuno": (
        "I live in Dorhaven and I work at Fernhill as a gardener.",
        "I am allergic to hazelnuts. I love calligraphy.",
        "My daughter Mirja studies physics. Mirja lives in Elvas.",
        "My neighbour Edvin has a boat. I hate early meetings.",
        "I moved to Elvas.",
    ),
    "dana": (
        "I am a nurse. I work at Elsinor.",
        "I play bouldering every week. I am vegetarian.",
        "My brother Ciro works at Dunmore as a pilot.",
        "I have a cat named Olive. I live in Fjorda.",
        "I am no longer vegetarian.",
    ),
    "bela": (
        "I work at Amberline as a translator. I live in Castene.",
        "My partner Lorin is a musician. Lorin plays the viola.",
        "I speak Portuguese and Finnish. I love archery.",
        "My aunt Fara lives in Dorhaven.",
    ),
}
NOTES = (
    "Said good morning and asked for the agenda of day {day}.",
    "Booked the train to Belmora for day {day}.",
    "Asked which room the review of day {day} is in.",
    "Moved lunch of day {day} to half past twelve.",
    "Sent the drawings of day {day} to the printer.",
    "Wants a reminder about sailing on day {day}.",
)
QUESTIONS = (
    QUESTION,
    "Where does my sister live?",
    "What are my hobbies?",
    "Which city is my brother in?",
    "What may I not eat?",
    "Who has a pet?",
)
NO_MEMORY = str(UUID(int=0))

# Seconds between two calls of each kind: what a few agents at work might do.
NOTE_PAUSE, SEARCH_PAUSE, LATER_PAUSE, FAULT_PAUSE = 0.2, 0.07, 0.9, 4.0


@dataclass(frozen=True, slots=True)
class Showcase:
    """The calls of invented people to one server."""

    memories: MemoryServiceAsyncStub
    metadata: tuple[tuple[str, str], ...]

    async def play(self, seconds: float) -> None:
        """Holds all conversations, and repeats the other calls until the time is up."""
        talking = asyncio.create_task(self._talk(seconds))
        kinds = (
            (NOTE_PAUSE, self._note),
            (SEARCH_PAUSE, self._search),
            (LATER_PAUSE, self._add_later),
            (FAULT_PAUSE, self._fail),
        )
        around = [asyncio.create_task(self._repeat(pause, work)) for pause, work in kinds]
        await asyncio.wait(around, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in around:
            task.cancel()
        for ended in await asyncio.gather(*around, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        await talking

    async def _talk(self, seconds: float) -> None:
        turns = [
            (user, text)
            for round_ in zip_longest(*TALKS.values())
            for user, text in zip(TALKS, round_, strict=True)
            if text is not None
        ]
        for user, text in turns:
            await self._add(user, text)
            await asyncio.sleep(seconds / len(turns))

    async def _repeat(self, pause: float, work: Callable[[str, int], Awaitable[None]]) -> None:
        for turn, user in enumerate(cycle(TALKS)):
            await work(user, turn)
            # A Poisson process, because callers are independent.
            await asyncio.sleep(random.expovariate(1 / pause))

    async def _add(self, user: str, text: str, *, infer: bool = True, later: bool = False) -> None:
        request = memory_service_pb2.AddMemoriesRequest(
            user_id=user,
            messages=[memory_pb2.Message(role="user", content=text)],
            version="v2",
            output_format="v1.1",
            infer=infer,
            async_mode=later,
        )
        await self.memories.AddMemories(request, metadata=self.metadata)

    async def _note(self, user: str, turn: int) -> None:
        text = NOTES[turn % len(NOTES)].format(day=turn)
        await self._add(user, text, infer=False)

    async def _add_later(self, user: str, turn: int) -> None:
        # The graph that is shown stays small.
        if user != SHOWN_USER:
            await self._add(user, f"I finished lesson {turn} of my course.", later=True)

    async def _search(self, user: str, turn: int) -> None:
        request = memory_service_pb2.SearchMemoriesRequest(
            user_id=user, query=QUESTIONS[turn % len(QUESTIONS)], top_k=10
        )
        await self.memories.SearchMemories(request, metadata=self.metadata)

    async def _fail(self, user: str, turn: int) -> None:
        with suppress(grpc.aio.AioRpcError):
            if turn % 2:
                nothing = memory_service_pb2.GetMemoryRequest(id=NO_MEMORY)
                await self.memories.GetMemory(nothing, metadata=self.metadata)
            else:
                empty = memory_service_pb2.SearchMemoriesRequest(user_id=user)
                await self.memories.SearchMemories(empty, metadata=self.metadata)

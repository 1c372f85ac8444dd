"""Shared setup of tests of inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from server.memories.add.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.memories.add.inference import Candidate, ProposedOperation, ProposedRelation
from server.memories.add.inferred import AddInferred
from server.memories.conversation import Message, Role
from server.memories.scope import Scope
from server.operations.leases import ScopeLocks, ScopeTurns
from server.operations.ports import ScopeLease
from tests.support.builders import ALICE, NOW, PROJECT, NewMemory, addition, call, change_set
from tests.support.fake_store import FakeLeases, FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder, FakeLanguageModel

SAID = "I moved to Lisbon and I like tea."
HELLO = Message(Role.USER, SAID, "Alice")


class World:
    """The use case and its ports."""

    def __init__(self, model: FakeLanguageModel | None = None) -> None:
        self.store = FakeStore()
        self.embedder = FakeEmbedder()
        self.model = model or FakeLanguageModel()
        self.locks = ScopeLocks()
        self.leases = FakeLeases()
        self.store.leases = self.leases
        self.add_inferred = AddInferred(
            self.store,
            self.embedder,
            self.model,
            FakeClock(),
            ScopeTurns(self.leases, self.locks),
            max_deletions=5,
        )

    async def knows(self, *texts: str, immutable: bool = False) -> list[NewMemory]:
        """Puts memories stated by Alice into her scope."""
        new_call = call()
        added = [
            addition(
                new_call,
                text,
                embedding=self.embedder.vector_of(text),
                categories=["misc"],
                immutable=immutable,
                name=HELLO.name,
            )
            for text in texts
        ]
        await self.store.commit(change_set(new_call, added=added))
        return added

    async def candidates(self, text: str) -> Sequence[Candidate]:
        """Returns the memories of Alice that are nearest to the text."""
        lease = ScopeLease(PROJECT, ALICE.key(), uuid4())
        vectors = [self.embedder.vector_of(text)]
        inputs = await self.store.begin_add(lease, timedelta(0), vectors, 5, NOW.date())
        assert inputs is not None
        return inputs.candidates

    async def add_messages(
        self,
        *proposals: ProposedOperation,
        messages: Sequence[Message] = (HELLO,),
        scope: Scope = ALICE,
        **changes: object,
    ) -> AddMemoriesOutcome:
        """Adds the messages with a model that proposes these operations."""
        self.model.script.append(proposals)
        command = AddMemoriesCommand(PROJECT, scope, messages, metadata={})
        return await self.add_inferred(replace(command, **changes))  # type: ignore[arg-type] # names fit


def add(
    text: str,
    quote: str = SAID,
    message: int = 1,
    categories: Sequence[str] = (),
    relations: Sequence[ProposedRelation] = (),
) -> ProposedOperation:
    return ProposedOperation(
        "ADD", text, message, quote, categories=categories, relations=relations
    )


def update(target: int, text: str, relations: Sequence[ProposedRelation] = ()) -> ProposedOperation:
    return ProposedOperation("UPDATE", text, 1, SAID, target=target, relations=relations)


def delete(target: int) -> ProposedOperation:
    return ProposedOperation("DELETE", "", 1, SAID, target=target)

"""A memory service for Google's Agent Development Kit (extra `memoir[adk]`).

    runner = Runner(agent=agent, memory_service=MemoirMemoryService(client), ...)

ADK's application, user and session are the app, user and run of the memories. A search covers all
sessions of the user in the application.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from google.adk.events.event import Event
from google.adk.memory.base_memory_service import BaseMemoryService, SearchMemoryResponse
from google.adk.memory.memory_entry import MemoryEntry
from google.adk.sessions.session import Session
from google.genai import types
from memoir.client_async import AsyncClient
from memoir.memories import Memory
from memoir.options import AddOptions
from memoir.requests import Message
from memoir.results import Passage

_USER: Final = "user"


class MemoirMemoryService(BaseMemoryService):
    """Adds sessions to the memory, and searches them.

    With `infer` (default) facts are inferred; without it each message is stored verbatim. `top_k`
    bounds the results of a search. Adding the same events again has no effect, so a session may be
    added after each turn. Errors of the server are raised as MemoirError.
    """

    def __init__(self, client: AsyncClient, *, infer: bool = True, top_k: int = 10) -> None:
        self._client = client
        self._infer = infer
        self._top_k = top_k

    async def add_session_to_memory(self, session: Session) -> None:
        """Adds the events of a session that have not been added yet."""
        await self.add_events_to_memory(
            app_name=session.app_name,
            user_id=session.user_id,
            session_id=session.id,
            events=session.events,
        )

    async def add_events_to_memory(
        self,
        *,
        app_name: str,
        user_id: str,
        events: Sequence[Event],
        session_id: str | None = None,
        custom_metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Adds events; `custom_metadata` is stored with their memories."""
        options: AddOptions = {"app_id": app_name, "user_id": user_id, "infer": self._infer}
        if session_id:
            options["run_id"] = session_id
        if custom_metadata:
            options["metadata"] = custom_metadata
        for turn in _turns(events):
            # Adding the same events again has the same request id, and so a single effect.
            ids = [event.id for event in turn]
            options["request_id"] = str(uuid5(NAMESPACE_OID, repr((sorted(options.items()), ids))))
            options["timestamp"] = int(turn[0].timestamp)
            await self._client.add([_message(event) for event in turn], **options)
            del options["request_id"], options["timestamp"]

    async def add_memory(
        self,
        *,
        app_name: str,
        user_id: str,
        memories: Sequence[MemoryEntry],
        custom_metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Stores memories verbatim; an exact duplicate adds nothing."""
        for entry in memories:
            options: AddOptions = {"app_id": app_name, "user_id": user_id, "infer": False}
            if metadata := {**(custom_metadata or {}), **entry.custom_metadata}:
                options["metadata"] = metadata
            if entry.timestamp:
                options["timestamp"] = datetime.fromisoformat(entry.timestamp)
            message = _spoken(_text(entry.content), entry.author or _USER)
            await self._client.add([message], **options)

    async def search_memory(
        self, *, app_name: str, user_id: str, query: str
    ) -> SearchMemoryResponse:
        """Finds what matches a question best, in all sessions of the user."""
        hits = await self._client.search(query, app_id=app_name, user_id=user_id, top_k=self._top_k)
        return SearchMemoryResponse(memories=[_entry(hit.found) for hit in hits])

    async def delete_memory(
        self, *, app_name: str, user_id: str, memory_id: str | None = None
    ) -> None:
        """Deletes a memory of the user; memories of others are not affected.

        Raises:
            ValueError: `memory_id` is missing.
        """
        if memory_id is None:
            raise ValueError("memory_id: name the memory to delete")
        await self._client.delete_all(app_id=app_name, user_id=user_id, filters={"id": memory_id})


def _turns(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Yields user messages with the replies to them, without events that have no text."""
    turn: list[Event] = []
    for event in events:
        if event.partial or not _text(event.content):
            continue
        if turn and event.author == _USER:
            yield turn
            turn = []
        turn.append(event)
    if turn:
        yield turn


def _message(event: Event) -> Message:
    return _spoken(_text(event.content), event.author)


def _spoken(text: str, author: str) -> Message:
    if author == _USER:
        return {"role": _USER, "content": text}
    return {"role": "assistant", "content": text, "name": author}


def _text(content: types.Content | None) -> str:
    """Returns the text of the parts, without a model's thoughts."""
    parts = (content.parts if content else None) or []
    return "\n".join(part.text for part in parts if part.text and not part.thought).strip()


def _entry(found: Memory | Passage) -> MemoryEntry:
    speaker = found.name or found.role
    entry = MemoryEntry(
        content=types.Content(parts=[types.Part(text=found.text)], role=_USER),
        author=_USER if speaker is None else speaker,
        timestamp=found.event_time.isoformat(),
    )
    if isinstance(found, Memory):
        entry.id = found.id
        entry.custom_metadata = found.metadata
    return entry

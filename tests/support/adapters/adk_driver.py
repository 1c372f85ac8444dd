"""Uses the memory service as Google's ADK does, where ADK is installed; prints the answers.

python adk_driver.py ADDRESS KEY APP
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import memoir
from google.adk.events import Event
from google.adk.memory.memory_entry import MemoryEntry
from google.adk.sessions import InMemorySessionService
from google.genai import types
from memoir.adk import MemoirMemoryService

USER = "alice"


def event(author: str, text: str, **fields: Any) -> Event:
    role = "user" if author == "user" else "model"
    return Event(
        author=author,
        content=types.Content(role=role, parts=[types.Part(text=text)]),
        **fields,
    )


async def run(client: memoir.AsyncClient, app: str) -> dict[str, Any]:
    sessions, memory = InMemorySessionService(), MemoirMemoryService(client, infer=False)
    session = await sessions.create_session(app_name=app, user_id=USER, session_id="s-1")
    for each in (
        event("user", "I play the cello."),
        event("helper", "Which composers do you like?"),
        event("helper", "half of a sen", partial=True),
        Event(author="helper"),
        event("user", "I like Bach."),
    ):
        await sessions.append_event(session, each)
    await memory.add_session_to_memory(session)
    await memory.add_session_to_memory(session)
    await sessions.append_event(session, event("helper", "The suites are a good start."))
    await memory.add_session_to_memory(session)
    kept = [memory async for memory in client.list(app_id=app, user_id=USER)]
    await memory.add_memory(
        app_name=app,
        user_id=USER,
        memories=[
            MemoryEntry(
                content=types.Content(parts=[types.Part(text="Alice is left-handed.")]),
                custom_metadata={"source": "form"},
                timestamp="2026-01-02T03:04:05+00:00",
            )
        ],
    )
    found = await memory.search_memory(app_name=app, user_id=USER, query="left-handed")
    first = found.memories[0]
    await memory.delete_memory(app_name=app, user_id="bob", memory_id=first.id)
    still = await memory.search_memory(app_name=app, user_id=USER, query="left-handed")
    await memory.delete_memory(app_name=app, user_id=USER, memory_id=first.id)
    gone = await memory.search_memory(app_name=app, user_id=USER, query="left-handed")
    inferring = MemoirMemoryService(client)
    await inferring.add_events_to_memory(
        app_name=app,
        user_id="carol",
        session_id="s-2",
        events=[event("user", "I moved to Lisbon last month.")],
        custom_metadata={"channel": "web"},
    )
    inferred = await memory.search_memory(app_name=app, user_id="carol", query="Lisbon")
    strangers = await memory.search_memory(app_name=app, user_id="dave", query="cello")
    return {
        "kept": sorted([each.role, each.name, each.text, each.run_id] for each in kept),
        "found": first.model_dump(mode="json", include={"id", "author", "timestamp"}),
        "text": first.content.parts[0].text,
        "metadata": first.custom_metadata,
        "still": still.memories[0].id == first.id,
        "gone": first.id not in [each.id for each in gone.memories],
        "inferred": [each.content.parts[0].text for each in inferred.memories],
        "inferred_metadata": inferred.memories[0].custom_metadata,
        "strangers": len(strangers.memories),
    }


async def main(address: str, key: str, app: str) -> None:
    async with memoir.AsyncClient(address, key) as client:
        print(json.dumps(await run(client, app)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""An agent of Google's Agent Development Kit that remembers earlier sessions, in Memoir.

    MEMOIR_API_KEY=mem_... python examples/adk_memory.py [ADDRESS]

It needs `memoir[adk]` and a running server, but no language model.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from uuid import uuid4

import memoir
from google.adk.agents import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.events import Event
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.genai import types
from memoir.adk import MemoirMemoryService

APP = "adk-example"


class Recalling(BaseAgent):
    """Answers with what the user said in earlier sessions."""

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        found = await ctx.memory_service.search_memory(
            app_name=APP, user_id=ctx.user_id, query=ctx.user_content.parts[0].text
        )
        texts = [entry.content.parts[0].text for entry in found.memories[:1]]
        answer = f"You said: {texts[0]}" if texts else "Nice to meet you."
        content = types.Content(role="model", parts=[types.Part(text=answer)])
        yield Event(author=self.name, invocation_id=ctx.invocation_id, content=content)


async def main(address: str = "127.0.0.1:50051") -> None:
    """Runs two sessions of one user."""
    async with memoir.AsyncClient(address) as client:
        sessions, memory = InMemorySessionService(), MemoirMemoryService(client, infer=False)
        runner = Runner(
            app_name=APP,
            agent=Recalling(name="helper"),
            session_service=sessions,
            memory_service=memory,
        )
        user = f"alice-{uuid4()}"
        for said in ("My sister plays the cello.", "Which instrument does she play?"):
            session = await sessions.create_session(app_name=APP, user_id=user)
            message = types.Content(role="user", parts=[types.Part(text=said)])
            async for event in runner.run_async(
                user_id=user, session_id=session.id, new_message=message
            ):
                print(event.content.parts[0].text)
            session = await sessions.get_session(app_name=APP, user_id=user, session_id=session.id)
            await memory.add_session_to_memory(session)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

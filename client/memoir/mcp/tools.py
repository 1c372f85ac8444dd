"""The tools. Their scope is configured, and no argument of a tool can change it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Final, ParamSpec, TypeAlias, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from memoir.client_async import AsyncClient
from memoir.errors import MemoirError, NotFound
from memoir.mcp.answers import (
    ChangesAnswer,
    DeletedAnswer,
    GraphAnswer,
    HitsAnswer,
    MemoriesAnswer,
    MemoryAnswer,
    changes_answer,
    entity_answer,
    hit_answer,
    memory_answer,
    relation_answer,
)
from memoir.memories import Memory
from memoir.options import Scope
from pydantic import Field

_INSTRUCTIONS: Final = (
    "Long-term memory of one user. Search it before answering questions that depend on earlier "
    "conversations, and add what is worth remembering: lasting facts, preferences, plans."
)
_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
_DESTROYS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

P = ParamSpec("P")
T = TypeVar("T")
Id: TypeAlias = Annotated[str, Field(description="The memory's id, as returned by another tool")]
Limit: TypeAlias = Annotated[int, Field(ge=1, le=200, description="Maximum number of results")]


@dataclass(frozen=True, slots=True)
class Account:
    """The scope of the tools, and their client."""

    client: AsyncClient
    scope: Scope

    async def own(self, memory_id: str) -> Memory:
        """Returns a memory of the scope.

        Raises:
            NotFound: there is no memory with this id in the scope.
        """
        memory = await self.client.get(memory_id)
        if any(getattr(memory, name) != value for name, value in self.scope.items()):
            raise NotFound("there is no such memory", code="NOT_FOUND")
        return memory


AccountOf: TypeAlias = Callable[[Context], Account]


def _reporting_errors(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Returns the tool with errors of the service reported to the model."""

    @wraps(tool)
    async def reporting(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except MemoirError as error:
            raise ToolError(str(error)) from error

    return reporting


def build_server(account_of: AccountOf, version: str) -> MCPServer:
    """Returns a server with all tools; `account_of` returns the account of a request."""
    server = MCPServer(
        "memoir",
        title="Memoir",
        version=version,
        instructions=_INSTRUCTIONS,
        log_level="WARNING",
        subscriptions=False,
    )
    _add_reading_tools(server, account_of)
    _add_writing_tools(server, account_of)
    return server


def _add_reading_tools(server: MCPServer, account_of: AccountOf) -> None:
    @server.tool(title="Search memories", annotations=_READS)
    @_reporting_errors
    async def search_memories(
        query: Annotated[str, Field(description="What to look for, as a question or keywords")],
        context: Context,
        limit: Limit = 10,
    ) -> HitsAnswer:
        """Finds the memories that match a question best."""
        account = account_of(context)
        found = await account.client.search(query, top_k=limit, **account.scope)
        return HitsAnswer([hit_answer(hit) for hit in found])

    @server.tool(title="List memories", annotations=_READS)
    @_reporting_errors
    async def list_memories(context: Context, limit: Limit = 50) -> MemoriesAnswer:
        """Reads memories, newest first."""
        account = account_of(context)
        memories: list[MemoryAnswer] = []
        async for memory in account.client.list(page_size=limit + 1, **account.scope):
            if len(memories) == limit:
                return MemoriesAnswer(memories, more=True)
            memories.append(memory_answer(memory))
        return MemoriesAnswer(memories, more=False)

    @server.tool(title="Read one memory", annotations=_READS)
    @_reporting_errors
    async def get_memory(memory_id: Id, context: Context) -> MemoryAnswer:
        """Reads one memory by its id."""
        return memory_answer(await account_of(context).own(memory_id))

    @server.tool(title="Look around an entity", annotations=_READS)
    @_reporting_errors
    async def entity_graph(
        name: Annotated[str, Field(description="The entity's name, or one of its aliases")],
        context: Context,
        hops: Annotated[int, Field(ge=1, le=3, description="Number of hops to follow")] = 1,
    ) -> GraphAnswer:
        """Reads a person, place, organization or thing, and its relations to others."""
        account = account_of(context)
        found = await account.client.entity(name, depth=hops, **account.scope)
        return GraphAnswer(
            entity_answer(found.entity),
            [entity_answer(each) for each in found.neighbors],
            [relation_answer(each) for each in found.relations],
            found.truncated,
        )


def _add_writing_tools(server: MCPServer, account_of: AccountOf) -> None:
    @server.tool(title="Add a memory", annotations=_ADDS)
    @_reporting_errors
    async def add_memory(
        text: Annotated[str, Field(description="The user's own words")],
        context: Context,
        verbatim: Annotated[
            bool, Field(description="Store the text itself instead of the facts in it")
        ] = False,
    ) -> ChangesAnswer:
        """Remembers the lasting facts in the user's words, or the text itself."""
        account = account_of(context)
        return changes_answer(await account.client.add(text, infer=not verbatim, **account.scope))

    @server.tool(title="Change a memory", annotations=_DESTROYS)
    @_reporting_errors
    async def update_memory(
        memory_id: Id,
        text: Annotated[str, Field(description="The new text, which replaces the old one")],
        context: Context,
    ) -> MemoryAnswer:
        """Replaces the text of one memory."""
        account = account_of(context)
        memory = await account.own(memory_id)
        return memory_answer(await account.client.update(memory.id, text=text, etag=memory.etag))

    @server.tool(title="Delete a memory", annotations=_DESTROYS)
    @_reporting_errors
    async def delete_memory(memory_id: Id, context: Context) -> DeletedAnswer:
        """Deletes one memory."""
        account = account_of(context)
        memory = await account.own(memory_id)
        await account.client.delete(memory.id, etag=memory.etag)
        return DeletedAnswer(memory.id, memory.text)

    @server.tool(title="Forget", annotations=_DESTROYS)
    @_reporting_errors
    async def forget(
        what: Annotated[
            str,
            Field(description="What to forget, as a statement, such as `I live in Porto`"),
        ],
        context: Context,
    ) -> ChangesAnswer:
        """Deletes the memories that state something, and stores nothing."""
        account = account_of(context)
        statement = what.strip().rstrip(".")
        return changes_answer(
            await account.client.add(f"Please forget that {statement}.", **account.scope)
        )

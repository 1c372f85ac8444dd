"""Reads all memories of a Mem0 account over HTTP, page by page.

The account may also be a project of another Memoir, which serves the same paths.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import aiohttp
import orjson

from server.core.transient_errors import StoreUnavailable
from server.memories.scope import SCOPE_FIELDS
from server.projects.archive.format import ArchiveUnusable
from server.projects.archive.mem0 import Mem0Memory
from server.projects.ports import Mem0Source

_PAGE: Final = 100
_BATCH: Final = 200
_PATIENCE: Final = aiohttp.ClientTimeout(total=60.0)
_ATTEMPTS: Final = 6
_LONGEST_PAUSE_SECONDS: Final = 60.0
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})
# Mem0 lists nothing without a filter; this filter matches every memory.
_EVERYTHING: Final = {
    "OR": [{name: "*"} for name in SCOPE_FIELDS],
}


class Mem0Platform:
    """Reads an account.

    The whole account is read before the first memory is returned, because it lists the newest first
    and an import begins with the oldest. Memories that are added meanwhile may be read or not; no
    earlier memory is missed.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def count(self) -> int:
        page = await self._page(1)
        return int(page["count"])

    async def memories(self) -> AsyncIterator[list[Mem0Memory]]:
        found: dict[UUID, Mem0Memory] = {}
        number = 1
        while True:
            page = await self._page(number)
            for item in page["results"]:
                memory = _memory(item)
                found[memory.id] = memory
            if not page.get("next"):
                break
            number += 1
        oldest_first = sorted(found.values(), key=lambda each: str(each.payload["created_at"]))
        for begin in range(0, len(oldest_first), _BATCH):
            yield oldest_first[begin : begin + _BATCH]

    async def _page(self, number: int) -> Mapping[str, Any]:
        for attempt in range(_ATTEMPTS):
            try:
                return await self._ask(number)
            except (aiohttp.ClientConnectionError, TimeoutError, _Transient) as error:
                pause = getattr(error, "retry_after", None) or 2.0**attempt
                if attempt + 1 == _ATTEMPTS:
                    raise StoreUnavailable from error
            await asyncio.sleep(min(pause, _LONGEST_PAUSE_SECONDS))
        raise StoreUnavailable

    async def _ask(self, number: int) -> Mapping[str, Any]:
        query = {"page": str(number), "page_size": str(_PAGE)}
        body = {"filters": _EVERYTHING, "show_expired": True}
        async with self._session.post("/v3/memories/", params=query, json=body) as response:
            text = await response.read()
            if response.status in _TRANSIENT:
                raise _Transient(response.headers.get("retry-after"))
            if response.status != 200:  # noqa: PLR2004 - OK
                detail = text.decode(errors="replace")[:200]
                raise ArchiveUnusable(f"the account's server answered {response.status}: {detail}")
        try:
            page = orjson.loads(text)
        except orjson.JSONDecodeError:
            page = None
        if not isinstance(page, dict) or not {"count", "results"} <= page.keys():
            raise ArchiveUnusable("the account's server does not answer like Mem0's platform")
        return page


class _Transient(Exception):
    """The account's server refuses for now."""

    def __init__(self, retry_after: str | None) -> None:
        super().__init__("the account's server refuses for now")
        is_number = retry_after is not None and retry_after.isdecimal()
        self.retry_after = float(retry_after) if retry_after is not None and is_number else None


def _memory(item: Mapping[str, Any]) -> Mem0Memory:
    try:
        payload = {
            "data": item["memory"],
            "user_id": item.get("user_id"),
            "agent_id": item.get("agent_id"),
            "run_id": item.get("run_id") or item.get("session_id"),
            "created_at": item["created_at"],
            "updated_at": item.get("updated_at"),
            "expiration_date": item.get("expiration_date"),
        }
        return Mem0Memory(
            UUID(str(item["id"])),
            payload,
            app_id=item.get("app_id"),
            categories=tuple(map(str, item.get("categories") or ())),
            metadata=item.get("metadata") or {},
            immutable=bool(item.get("immutable")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ArchiveUnusable(f"the account has a memory without {error}") from error


@asynccontextmanager
async def open_mem0_platform(host: str, api_key: str) -> AsyncIterator[Mem0Source]:
    """Opens the account of the key.

    Raises:
        StoreUnavailable: the account's server cannot be reached.
        ArchiveUnusable: it does not answer like Mem0's platform.
    """
    headers = {"authorization": f"Token {api_key}"}
    async with aiohttp.ClientSession(
        host, headers=headers, timeout=_PATIENCE, trust_env=True
    ) as session:
        account = Mem0Platform(session)
        yield Mem0Source(await account.count(), account.memories())

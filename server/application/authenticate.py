"""Telling whom an API key stands for."""

from __future__ import annotations

import time
from collections.abc import Callable

from server.application.ttl_cache import TtlCache
from server.domain.errors import ApiKeyInvalid
from server.domain.project import KEY_PREFIX, Principal, key_digest
from server.ports.project_store import ProjectStore

CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000


class Authenticate:
    """Finds the principal of a key.

    A key that was found is believed for 5 seconds without asking again, which bounds how long a
    revoked key still works and saves a round trip on nearly every call. Keys that are not found
    are not cached, so that chance keys cannot fill the memory.
    """

    def __init__(
        self, projects: ProjectStore, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._projects = projects
        self._found = TtlCache[bytes, Principal](CACHE_SECONDS, CACHE_SIZE, monotonic)

    async def __call__(self, key: str) -> Principal:
        """The principal of `key`.

        Raises:
            ApiKeyInvalid: the key is malformed, unknown or revoked; which of these is not told.
            StoreUnavailable: the keys cannot be read.
        """
        if not key.startswith(KEY_PREFIX):
            raise ApiKeyInvalid("the API key is not valid")
        digest = key_digest(key)
        principal = self._found.get(digest)
        if principal is None:
            principal = await self._projects.find_principal(digest)
            if principal is None:
                raise ApiKeyInvalid("the API key is not valid")
            self._found.put(digest, principal)
        return principal

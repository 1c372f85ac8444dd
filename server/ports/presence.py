"""Which servers of a database are there."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Protocol


class Presence(Protocol):
    """The servers that have entered, by the numbers that they gave themselves.

    A server that is killed is missing at once; one that is cut off, when PostgreSQL notices. One
    that lives can be missing, too, until its connection is replaced. Both methods raise
    StoreUnavailable.
    """

    async def missing(self) -> AbstractSet[int]:
        """Those that have entered and are not there now."""
        ...

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        """Ends what these hold, operations and turns on scopes, and forgets them; how many leases.

        Those that are back by now are left alone. A lease that is ended stays with its holder until
        another one takes it.
        """
        ...

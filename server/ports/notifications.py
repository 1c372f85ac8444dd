"""Hearing soon that something has changed, whichever server changed it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """What notices are about."""

    MEMORY_EVENTS = "memoir_memory_events"
    OPERATIONS = "memoir_operations"


class Notifications(Protocol):
    """Notices between the servers of one database. They are hints and can be lost.

    A notice says only that it is worth looking. Who waits for one also looks by itself now and
    then, and looks without one when told after a lost connection.
    """

    def notify(self, channel: Channel) -> None:
        """Tells all subscribers of all servers. Returns at once; those of this server know then.

        Called after the commit that it tells of. Many at once can arrive as one.
        """
        ...

    def subscribe(
        self, channel: Channel, on_notice: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Calls `on_notice` for every notice during the block, and whenever some may be lost."""
        ...

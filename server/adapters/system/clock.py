"""The clock of this machine."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Implements `server.ports.clock.Clock`."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)

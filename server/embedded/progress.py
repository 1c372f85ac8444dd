"""How the embedded databases tell a person what takes its time."""

from typing import Protocol


class Progress(Protocol):
    """Receives one short sentence a step, at the moment the step begins."""

    def step(self, text: str) -> None:
        """Take note that the work described by `text` begins now. Must not block or raise."""
        ...


class NoProgress:
    """Keeps quiet."""

    def step(self, text: str) -> None:
        """Ignore `text`."""

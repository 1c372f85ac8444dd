"""What the embedded databases report to people: slow steps, and errors."""

from typing import Protocol


class EmbeddedError(Exception):
    """An embedded database cannot be used."""


class MissingDependencyError(EmbeddedError):
    """Something that has to be installed first is missing."""


class DataDirectoryInUseError(EmbeddedError):
    """Another living process owns the data directory."""


class StartError(EmbeddedError):
    """The database process was started but did not become usable."""


class Progress(Protocol):
    """Receives a short sentence for each step, when the step begins."""

    def step(self, text: str) -> None:
        """Report that the work described by `text` begins now. Must not block or raise."""
        ...


class NoProgress:
    """Reports nothing."""

    def step(self, text: str) -> None:
        """Ignore `text`."""

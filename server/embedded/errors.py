"""What the embedded databases tell a person: what takes its time, and what went wrong."""

from typing import Protocol


class EmbeddedError(Exception):
    """An embedded database cannot be used."""


class MissingDependencyError(EmbeddedError):
    """Something that has to be installed first is not there."""


class DataDirectoryInUseError(EmbeddedError):
    """Another living process owns the data directory."""


class StartError(EmbeddedError):
    """The database process was started but did not become usable."""


class Progress(Protocol):
    """Receives one short sentence a step, at the moment the step begins."""

    def step(self, text: str) -> None:
        """Take note that the work described by `text` begins now. Must not block or raise."""
        ...


class NoProgress:
    """Keeps quiet."""

    def step(self, text: str) -> None:
        """Ignore `text`."""

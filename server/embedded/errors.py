"""Why an embedded database cannot be used."""

from __future__ import annotations


class EmbeddedError(Exception):
    """An embedded database cannot be used."""


class MissingDependencyError(EmbeddedError):
    """Something that has to be installed first is missing."""


class DataDirectoryInUseError(EmbeddedError):
    """Another living process owns the data directory."""


class StartError(EmbeddedError):
    """The database process was started but did not become usable."""

"""What can go wrong with an embedded database; every message says what to do next."""


class EmbeddedError(Exception):
    """An embedded database cannot be used."""


class MissingDependencyError(EmbeddedError):
    """Something that has to be installed first is not there."""


class DataDirectoryInUseError(EmbeddedError):
    """Another living process owns the data directory."""


class StartError(EmbeddedError):
    """The database process was started but did not become usable."""

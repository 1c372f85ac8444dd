"""Why a command cannot work on a store. Clients of the service never see these."""

from __future__ import annotations

from server.domain.errors import MemoirError


class StoreUnready(MemoirError):
    """The store is not as it must be; the message says why and what to do."""


class OtherEmbedderWanted(MemoirError):
    """Another command has begun to give the store's texts to another embedder."""

    def __init__(self) -> None:
        super().__init__(
            "another `reembed` gives this store another embedder now: let one end before the next"
        )


class StoreInUse(MemoirError):
    """A command needs the store for itself, and a server is connected to it."""

    def __init__(self) -> None:
        super().__init__("a server is connected to this database; stop all servers first")

"""The one list of what the contract promises and this server does not do yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import Message

from server.domain.errors import Unimplemented

UNIMPLEMENTED_METHODS: Final = frozenset[str]()

UNIMPLEMENTED_FIELDS: Final[Mapping[type[Message], frozenset[str]]] = {}


def refuse_unimplemented(method: str, request: Message | None) -> None:
    """Lets pass what the server does; `method` is `package.Service/Method`.

    Raises:
        Unimplemented: the method, or an option that the request uses, is on the list.
    """
    if method in UNIMPLEMENTED_METHODS:
        raise Unimplemented(method)
    if request is None:
        return
    missing = UNIMPLEMENTED_FIELDS.get(type(request), frozenset())
    for field, _ in request.ListFields():
        if field.name in missing:
            raise Unimplemented(method, field.name)

"""No call without a valid key, but for health and reflection."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from server.domain.errors import ApiKeyInvalid
from server.domain.project import Principal
from server.telemetry.recording import stage
from server.transport.current_caller import enter_principal
from server.transport.interceptors.context import CallContext, Metadata
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method

Authenticate: TypeAlias = Callable[[str], Awaitable[Principal]]

_CREDENTIALS = re.compile(r"(?:token|bearer) +(?P<key>[!-~]{1,512})", re.IGNORECASE)
# One wording for every way to fail, so that an answer tells nothing about a key.
_REFUSAL = "the call carries no valid API key"


class AuthenticationInterceptor(CallInterceptor):
    """Finds out whom the key in the metadata `authorization: Token <key>` stands for."""

    def __init__(self, authenticate: Authenticate) -> None:
        """`authenticate` takes a key and raises ApiKeyInvalid where it opens nothing."""
        self._authenticate = authenticate

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if not method.is_public:
            with stage("authenticate", is_brief=True):
                enter_principal(await self._principal(context.invocation_metadata()))
        return await proceed(request, context)

    async def _principal(self, metadata: Metadata) -> Principal:
        try:
            return await self._authenticate(_key(metadata))
        except ApiKeyInvalid:
            raise ApiKeyInvalid(_REFUSAL) from None


def _key(metadata: Metadata) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        raise ApiKeyInvalid(_REFUSAL)
    credentials = _CREDENTIALS.fullmatch(values[0])
    if credentials is None:
        raise ApiKeyInvalid(_REFUSAL)
    return credentials["key"]

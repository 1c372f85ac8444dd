"""An HTTP request as the door sees it, and the headers that its response gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from google.protobuf.message import Message
from starlette.requests import Request

from server.api.grpc.interceptors.context import Metadata
from server.api.grpc.interceptors.observation import CORRELATION_HEADER, REQUEST_ID_HEADER
from server.api.grpc.validation import check
from server.api.http.messages import read_message
from server.core.errors import FieldViolation, InvalidRequest, MalformedRequest
from server.telemetry.spans import TRACEPARENT

M = TypeVar("M", bound=Message)

# The headers that become metadata of a call.
_FORWARDED: Final = frozenset(
    {
        "authorization",
        CORRELATION_HEADER,
        REQUEST_ID_HEADER,
        TRACEPARENT,
        "tracestate",
        "baggage",
        "user-agent",
    }
)
_TIMEOUT: Final = "x-server-timeout"
_IDEMPOTENCY_KEY: Final = "idempotency-key"
_LONGEST_IDEMPOTENCY_KEY: Final = 255


@dataclass(slots=True)
class Exchange:
    """A request with its body, as bytes.

    `ignored` lists the fields that the service does not use, `notices` what the response leaves
    out. Both are sent as headers.
    """

    request: Request
    body: bytes
    ignored: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def path(self) -> Mapping[str, str]:
        """The variables of the path."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query; the last value of a repeated one."""
        return self.request.query_params

    def json_object(self) -> dict[str, Any]:
        """Returns the body, which must be a JSON object; an empty one if there is no body.

        Raises:
            MalformedRequest: the body is not JSON.
            InvalidRequest: the body is not an object.
        """
        try:
            value = orjson.loads(self.body or b"{}")
        except orjson.JSONDecodeError as error:
            raise MalformedRequest([FieldViolation("", f"the body is not JSON: {error}")]) from None
        if not isinstance(value, dict):
            raise InvalidRequest([FieldViolation("", "the body must be a JSON object")])
        return value

    def metadata(self) -> Metadata:
        """Returns the headers that become metadata of the call."""
        return tuple(
            (name, value) for name, value in self.request.headers.items() if name in _FORWARDED
        )

    def peer(self) -> str:
        """Returns the client's address in the format of gRPC."""
        client = self.request.client
        if client is None:
            return "unknown"
        kind, host = ("ipv6", f"[{client.host}]") if ":" in client.host else ("ipv4", client.host)
        return f"{kind}:{host}:{client.port}"

    def timeout(self) -> float | None:
        """Returns the client's time limit for the call, in seconds, from `x-server-timeout`.

        Raises:
            InvalidRequest: the header is not a positive number.
        """
        sent = self.request.headers.get(_TIMEOUT)
        if sent is None:
            return None
        try:
            seconds = float(sent)
        except ValueError:
            seconds = 0.0
        if not (seconds > 0 and math.isfinite(seconds)):
            raise InvalidRequest([FieldViolation(_TIMEOUT, "must be a positive number of seconds")])
        return seconds

    def request_id(self) -> str | None:
        """Returns the request id from `Idempotency-Key`: the key if it is a UUID, else its digest.

        Raises:
            InvalidRequest: the key is empty or too long.
        """
        key = self.request.headers.get(_IDEMPOTENCY_KEY)
        if key is None:
            return None
        if not 0 < len(key) <= _LONGEST_IDEMPOTENCY_KEY:
            limit = f"must have 1 to {_LONGEST_IDEMPOTENCY_KEY} characters"
            raise InvalidRequest([FieldViolation(_IDEMPOTENCY_KEY, limit)])
        try:
            return str(UUID(key))
        except ValueError:
            return str(uuid5(NAMESPACE_URL, f"idempotency-key:{key}"))


def message_of(kind: type[M], value: object, found: list[FieldViolation] | None = None) -> M:
    """Returns a message of the contract from JSON.

    Raises:
        InvalidRequest: with all violations: those `found` before, values of the wrong type, and
            broken rules of the contract.
    """
    message = kind()
    violations = [*(found or ()), *read_message(value, message)]
    if not violations:
        return message
    named = {violation.field for violation in violations}
    try:
        check(message, datetime.now(UTC))
    except InvalidRequest as invalid:
        violations += [each for each in invalid.violations if each.field not in named]
    raise InvalidRequest(violations)

"""One HTTP request on its way through the door, and what its answer says beside its body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from google.protobuf.message import Message
from starlette.requests import Request

from server.api.grpc.interceptors.context import Metadata
from server.api.grpc.interceptors.observation import CORRELATION_HEADER, REQUEST_ID_HEADER
from server.api.grpc.validation import check
from server.api.http.bodies import parsed
from server.api.http.messages import read_message
from server.core.errors import FieldViolation, InvalidRequest
from server.telemetry.spans import TRACEPARENT

M = TypeVar("M", bound=Message)

# What calls over gRPC know of their client.
_PASSED_ON: Final = frozenset(
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

    `ignored` has the fields that mean nothing to the service, `notices` what the answer leaves out;
    both are sent as headers.
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
        """The query's parameters; of a repeated one, the last."""
        return self.request.query_params

    def json(self) -> object:
        """The body as JSON; an empty object if there is none.

        Raises:
            MalformedRequest: it is not JSON.
        """
        return parsed(self.body)

    def json_object(self) -> dict[str, Any]:
        """The body, which must be a JSON object.

        Raises:
            MalformedRequest: it is not JSON.
            InvalidRequest: it is something else than an object.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise InvalidRequest([FieldViolation("", "the body must be a JSON object")])
        return value

    def metadata(self) -> Metadata:
        """What the call carries, as it would over gRPC."""
        return tuple(
            (name, value) for name, value in self.request.headers.items() if name in _PASSED_ON
        )

    def peer(self) -> str:
        """The client's address as gRPC writes it."""
        client = self.request.client
        if client is None:
            return "unknown"
        kind, host = ("ipv6", f"[{client.host}]") if ":" in client.host else ("ipv4", client.host)
        return f"{kind}:{host}:{client.port}"

    def timeout(self) -> float | None:
        """The seconds that the client gives the call, by `x-server-timeout`.

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
        """The request id that `Idempotency-Key` stands for: itself if it is a UUID, else one of it.

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
    """A message of the contract from JSON.

    Raises:
        InvalidRequest: with everything that is wrong: what was `found` before, what has the wrong
            type, and what breaks a rule of the contract.
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

"""The exceptions for all errors of a call.

    MemoirError
    ├── InvalidRequest ── AnswerTooLarge, MalformedRequest, ProjectRequired
    ├── ApiKeyInvalid, ProjectForbidden, RoleRequired, ScopeForbidden
    ├── NotFound ── MemoryNotFound, EntityNotFound, ScopeNotFound, OperationNotFound
    ├── OperationNotDone, OperationCancelled, OperationAbandoned
    ├── RequestIdReused, EtagMismatch, ConcurrentChange, MemoryImmutable, MemoryDuplicate
    ├── ExtractionFailed
    ├── Unimplemented
    ├── DeadlineExceeded, QuotaExceeded
    └── Retryable: see transient_errors.py

Each message is written for the client and reveals nothing about drivers, statements or other calls.
`metadata` holds what a client program needs to handle the error. The cause, for the log, is the
exception's `__cause__`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A broken rule: the field's path in the request, such as `messages[0].role`, and the rule."""

    field: str
    description: str


class MemoirError(Exception):
    """The base class of all errors that are returned to clients unchanged."""

    def __init__(self, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = metadata or {}


class InvalidRequest(MemoirError):
    """Fields of the request are invalid; `violations` lists all of them."""

    def __init__(
        self,
        violations: Iterable[FieldViolation],
        message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.violations = tuple(violations)
        fields = ", ".join(dict.fromkeys(v.field for v in self.violations if v.field))
        summary = f"invalid fields: {fields}" if fields else "invalid request"
        super().__init__(message or summary, metadata)


class AnswerTooLarge(InvalidRequest):
    """The response would be larger than clients accept by default. Nothing was stored."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            [FieldViolation("messages", "too large for one response; send fewer in a call")],
            f"the response would take {size} bytes, and clients accept at most {limit}; nothing "
            "was stored; send fewer messages in a call",
            {"bytes": str(size), "limit": str(limit)},
        )


class MalformedRequest(InvalidRequest):
    """The request cannot be read as a protobuf message."""


class ProjectRequired(InvalidRequest):
    """The key belongs to an organization, but the request names no project."""

    def __init__(self) -> None:
        super().__init__(
            [FieldViolation("project_id", "required with a key that belongs to an organization")]
        )


class ApiKeyInvalid(MemoirError):
    """The call has no valid key."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}; send the metadata 'authorization: Token <key>'")


class ProjectForbidden(MemoirError):
    """The project or organization does not exist, or the key may not use it."""

    def __init__(self) -> None:
        super().__init__(
            "the API key may not act on this organization and project; check the ids and the key"
        )


class RoleRequired(MemoirError):
    """The key's role does not permit the call."""

    def __init__(self, role: str) -> None:
        super().__init__(f"this call needs an API key with the role {role}", {"role": role})


class ScopeForbidden(MemoirError):
    """The key is confined to a scope, and the call reaches beyond it.

    `field` is the path of the field that names another scope, or empty if the call concerns the
    whole project.
    """

    def __init__(self, field: str = "") -> None:
        if field:
            super().__init__(
                f"the API key is confined to another {field}; leave it out or use another key",
                {"field": field},
            )
        else:
            super().__init__(
                "the API key is confined to a scope, and this call concerns the whole project; use "
                "a key that is not confined"
            )


class NotFound(MemoirError):
    """Something that the call names does not exist or is not visible."""


class MemoryNotFound(NotFound):
    """The memory does not exist or has expired, or it has no such version."""

    def __init__(self, memory_id: UUID, version: int | None = None) -> None:
        metadata = {"id": str(memory_id)}
        if version is None:
            super().__init__("there is no such memory; it may be deleted or expired", metadata)
        else:
            metadata["version"] = str(version)
            super().__init__("the memory has no such version; list its events", metadata)


class EntityNotFound(NotFound):
    """The graph has no such entity in this scope."""

    def __init__(self, entity: str) -> None:
        super().__init__(
            "there is no such entity in this scope; list its entities", {"entity": entity}
        )


class ScopeNotFound(NotFound):
    """The project stores nothing about this user, agent, app or run."""

    def __init__(self) -> None:
        super().__init__("nothing is stored about this user, agent, app or run; check its id")


class OperationNotFound(NotFound):
    """The project has no such operation, or it was pruned."""

    def __init__(self, operation_id: UUID) -> None:
        super().__init__(
            "there is no such operation; it may have been pruned; list the project's operations",
            {"operation": str(operation_id)},
        )


class OperationNotDone(MemoirError):
    """An operation that is not done cannot be deleted."""

    def __init__(self, operation_id: UUID) -> None:
        super().__init__(
            "the operation is not done; cancel it first", {"operation": str(operation_id)}
        )


class OperationCancelled(MemoirError):
    """The operation was cancelled and had no effect."""

    def __init__(self) -> None:
        super().__init__(
            "the operation was cancelled; nothing was stored; to run it, send the call again with "
            "a new request_id"
        )


class OperationAbandoned(MemoirError):
    """The server crashed or lost its lease in all of the `attempts` attempts."""

    def __init__(self, attempts: int) -> None:
        super().__init__(
            "the operation was given up: no attempt was completed; nothing was stored; send the "
            "call again with a new request_id",
            {"attempts": str(attempts)},
        )


class RequestIdReused(MemoirError):
    """The request id was used before with another payload."""

    def __init__(self, request_id: UUID) -> None:
        super().__init__(
            "this request_id was used before with another payload; use a new one",
            {"request_id": str(request_id)},
        )


class EtagMismatch(MemoirError):
    """The memory or project has changed since the etag was read."""

    def __init__(self, identifier: UUID | str, kind: str = "memory") -> None:
        super().__init__(
            f"the {kind} has changed since this etag was read; read it again",
            {"id": str(identifier)},
        )


class ConcurrentChange(MemoirError):
    """Another call changed the same memories at the same time."""

    def __init__(self) -> None:
        super().__init__("another call changed the same memories; send the call again")


class MemoryImmutable(MemoirError):
    """An immutable memory cannot be changed."""

    def __init__(self, memory_id: UUID) -> None:
        super().__init__("the memory is immutable; it can only be deleted", {"id": str(memory_id)})


class MemoryDuplicate(MemoirError):
    """An update would make a memory equal to another one of its scope."""

    def __init__(self, memory_id: UUID) -> None:
        super().__init__(
            "another memory of the same scope has this text already; nothing was changed; use "
            "another text, or delete one of the two",
            {"id": str(memory_id)},
        )


class ExtractionFailed(MemoirError):
    """The language model's answer cannot be used. Nothing was stored.

    `cause` is one word for programs (`malformed`, `truncated`, `blocked`, `empty`, `invalid`,
    `unsupported`). `problems` describes the faults, only for the log and the model, because it may
    contain text from the model. The tokens are the cost of the unusable answer.
    """

    def __init__(
        self,
        model: str,
        cause: str,
        problems: Iterable[str] = (),
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
    ) -> None:
        self.cause = cause
        self.problems = tuple(problems)
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        super().__init__(
            f"the language model's answer could not be used ({cause}); nothing was stored; send "
            "the call again, or with fewer or other messages",
            {"model": model, "cause": cause},
        )


class Unimplemented(MemoirError):
    """The server has no such method."""

    def __init__(self, method: str) -> None:
        super().__init__(
            f"this server has no method {method}; check its name and the server's version",
            {"method": method},
        )


class DeadlineExceeded(MemoirError):
    """The call's deadline has passed."""

    def __init__(self) -> None:
        super().__init__("the call's deadline passed; send it again with more time")


class QuotaExceeded(MemoirError):
    """The project has used up the storage quota `quota`."""

    def __init__(self, quota: str, limit: int) -> None:
        self.quota = quota
        super().__init__(
            f"the project's quota of {limit} {quota} is used up; nothing was stored; "
            "delete memories or ask the operator for a larger quota",
            {"quota": quota, "limit": str(limit)},
        )

"""Classifies failed requests to the Gemini API, and reads what its errors say about retries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import aiohttp
from google.genai.errors import APIError

REQUEST_ERRORS: tuple[type[Exception], ...] = (
    APIError,
    aiohttp.ClientError,
    TimeoutError,
    # The body is not JSON, or JSON of another shape.
    ValueError,
    TypeError,
)
"""The exceptions of failed requests."""

_QUOTA = 429
_BAD_INPUT = 400
_OVERLOADED = frozenset({_QUOTA, 503})
_TRANSIENT = frozenset({_QUOTA, 500, 502, 503, 504})
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,62}")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class GeminiFault(Exception):
    """A failed request.

    It contains no text of the provider, whose messages can contain the API key and the input.

    Attributes:
        status: The HTTP status, or None without a response.
        reason: The provider's reason, such as `RESOURCE_EXHAUSTED`, or the exception's name.
        retry_after: The delay that the provider asked for, if any.
    """

    def __init__(
        self, status: int | None, reason: str, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{status or 'no response'} {reason}".strip())
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_quota(self) -> bool:
        """Whether the provider's quota is used up."""
        return self.status == _QUOTA

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status is None or self.status in _TRANSIENT


def is_overload(error: Exception) -> bool:
    """Whether the provider refused a request because there are too many."""
    return isinstance(error, APIError) and error.code in _OVERLOADED


def is_bad_input(error: Exception) -> bool:
    """Whether the cause of an error is a request that the provider refused for its content."""
    fault = error.__cause__
    return isinstance(fault, GeminiFault) and fault.status == _BAD_INPUT


def read_fault(error: Exception) -> GeminiFault:
    """Converts one of `REQUEST_ERRORS` to a fault."""
    if not isinstance(error, APIError):
        return GeminiFault(None, type(error).__name__)
    return GeminiFault(error.code, _reason(error), _retry_after(error.details))


def _reason(error: APIError) -> str:
    stated = [detail.get("reason") for detail in _details(error.details, _ERROR_INFO)]
    for word in (*stated, error.status):
        if isinstance(word, str) and _REASON.fullmatch(word):
            return word
    return ""


def _retry_after(body: object) -> timedelta | None:
    """Returns the delay of google.rpc.RetryInfo, a protobuf Duration in JSON such as `"3.5s"`."""
    for detail in _details(body, _RETRY_INFO):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and (match := _DURATION.fullmatch(delay)):
            return timedelta(seconds=float(match[1]))
    return None


def _details(body: object, kind: str) -> Iterator[dict[str, object]]:
    """Yields the details of one type in a google.rpc.Status in JSON."""
    error = body.get("error", body) if isinstance(body, dict) else None
    entries = error.get("details") if isinstance(error, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("@type") == kind:
            yield entry

"""The id under which a request of the page is found in the logs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

CORRELATION_ID = "x-correlation-id"
# Of the form that the service takes, so that both write the same one.
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def correlation_id(headers: Mapping[str, str]) -> str:
    """The one that the request brings, if it is well-formed, else a new one."""
    brought = headers.get(CORRELATION_ID, "")
    return brought if _ID.fullmatch(brought) else secrets.token_hex(16)

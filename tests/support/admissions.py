"""Admissions with small limits, and calls that wait for them."""

from __future__ import annotations

import asyncio

from server.api.grpc.access_rules import MethodClass
from server.api.grpc.admission import Admission, AdmissionLimits, AdmittedCall
from server.core.pacing import TURNS_BETWEEN_STEPS

READ, WRITE, STREAM = MethodClass.READ, MethodClass.WRITE, MethodClass.STREAM
FOREVER = float("inf")
BUSY, QUIET = "busy", "quiet"
# Only a fault takes this long, however busy the machine is.
PATIENCE_SECONDS = 60.0


def limits(
    *,
    concurrency: int = 2,
    reads: int = 2,
    writes: int = 1,
    queue: int = 2,
    queue_seconds: float = 60.0,
    request_bytes: int = 1000,
) -> AdmissionLimits:
    """Returns limits that suit a test of few calls."""
    return AdmissionLimits.model_construct(
        concurrency=concurrency,
        reads=reads,
        writes=writes,
        queue=queue,
        queue_seconds=queue_seconds,
        streams=1,
        request_bytes=request_bytes,
    )


def waiting(admission: Admission, kind: MethodClass, size: int = 0) -> asyncio.Task[AdmittedCall]:
    """Starts a call of the busy tenant that may have to wait."""
    return asyncio.create_task(admission.enter(kind, size, FOREVER, BUSY))


async def let_others_run() -> None:
    """Lets all tasks run that can, with the turns between their steps."""
    for _ in range(4 * TURNS_BETWEEN_STEPS):
        await asyncio.sleep(0)

"""How many processes serve."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MOST_WORKERS: Final = 256
_QUOTA_FILE: Final = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota_file: Path = _QUOTA_FILE) -> int:
    """The cores that this process may use: those it may run on, or fewer by its container's quota.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        # There is no such file, or it says `max`.
        return cores


class WorkerSettings(BaseSettings):
    """Each process has an event loop, a connection pool and limits of its own."""

    model_config = SettingsConfigDict(env_prefix="MEMOIR_", env_ignore_empty=True, extra="ignore")

    workers: int | None = Field(
        default=None,
        ge=1,
        le=MOST_WORKERS,
        description="Serving processes behind the port. Default: one for each core, but one with "
        "the embedded PostgreSQL.",
    )

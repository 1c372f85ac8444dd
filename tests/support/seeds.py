"""Seeds of tests that draw by chance: the same in every run unless one is given."""

from __future__ import annotations

import os
from typing import Final

FIXED: Final = 20261129


def seed_of(variable: str) -> int:
    """The seed in an environment variable, else a fixed one; prints it, to repeat a failure."""
    seed = int(os.environ.get(variable) or FIXED)
    print(f"{variable}={seed}")
    return seed

"""Seeds of randomized tests: fixed unless an environment variable sets them."""

from __future__ import annotations

import os
from typing import Final

FIXED: Final = 20261129


def seed_of(variable: str) -> int:
    """Returns the seed of an environment variable or a fixed one; prints it for reproduction."""
    seed = int(os.environ.get(variable) or FIXED)
    print(f"{variable}={seed}")
    return seed

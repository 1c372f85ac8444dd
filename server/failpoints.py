"""Places where a test can make the process crash.

`MEMOIR_FAILPOINTS=name:n,...` ends the process with SIGKILL the n-th time that it reaches `name`.
Other places are not armed and cost the look-up of one name. Armed places are global state of the
process, because a crash ends all of it.
"""

from __future__ import annotations

import os
import signal

NAMES = frozenset(
    {
        "projection.before_neo4j",
        "projection.before_neo4j_commit",
        "projection.after_neo4j_before_settle",
        "projection.after_settle",
        "add.before_commit",
        "add.after_commit_before_answer",
        "lease.held",
        "batch.middle",
        "operation.claimed",
    }
)

_remaining: dict[str, int] = {}


def parse(text: str) -> dict[str, int]:
    """Parses `MEMOIR_FAILPOINTS`: for each place, at which visit the process dies.

    Raises:
        ValueError: the text is malformed, or names a place that does not exist.
    """
    armed: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, count = entry.partition(":")
        if name not in NAMES:
            raise ValueError(f"there is no failpoint {name!r}, only {', '.join(sorted(NAMES))}")
        if not count.isdecimal() or int(count) < 1:
            raise ValueError(f"the failpoint {name} needs a count from 1: {name}:1")
        armed[name] = int(count)
    return armed


def arm(counts: dict[str, int]) -> None:
    """Arms these places and no others."""
    _remaining.clear()
    _remaining.update(counts)


def reach(name: str) -> None:
    """Marks a place. The process ends here if the place is armed and this is the n-th visit."""
    left = _remaining.get(name)
    if left is None:
        return
    _remaining[name] = left - 1
    if left == 1:
        os.kill(os.getpid(), signal.SIGKILL)

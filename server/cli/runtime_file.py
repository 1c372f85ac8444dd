"""What a running server tells other commands on the same data directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "runtime.json"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the parts of a running server are. It may be out of date: its writer can be killed."""

    postgres_dsn: str
    grpc_address: str
    neo4j_uri: str | None


@contextmanager
def announced(data_dir: Path, runtime: Runtime) -> Iterator[None]:
    """Keeps the file in the data directory, readable by its owner alone, for the block."""
    path = data_dir / FILE_NAME
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(runtime), file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_runtime(data_dir: Path) -> Runtime | None:
    """What the server of this data directory last announced, if anything."""
    try:
        return Runtime(**json.loads((data_dir / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

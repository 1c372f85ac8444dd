"""Fetches the page's libraries in manifest.json from npm, and checks their digests.

To update a library, change its `version` in the manifest, run this, review the new files, and copy
the digests that it prints into the manifest.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[1] / "server" / "api" / "page" / "static" / "vendor"


def main() -> None:
    """Runs the command. Ends with status 1 if a file has another digest than in the manifest."""
    faults: list[str] = []
    for library in json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8")):
        with tempfile.TemporaryDirectory() as directory:
            archive = _pack(library, Path(directory))
            with tarfile.open(archive) as files:
                for file in library["files"]:
                    faults += _take(files, file)
    sys.exit("\n".join(faults) if faults else 0)


def _pack(library: dict[str, Any], directory: Path) -> Path:
    package = f"{library['package']}@{library['version']}"
    subprocess.run(
        ["npm", "pack", "--silent", "--ignore-scripts", package],
        cwd=directory,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return next(directory.glob("*.tgz"))


def _take(files: tarfile.TarFile, file: dict[str, str]) -> list[str]:
    member = files.extractfile(f"package/{file['from']}")
    content = member.read() if member else b""
    digest = hashlib.sha256(content).hexdigest()
    if digest != file["sha256"]:
        return [f"{file['name']}: sha256 is {digest}, the manifest says {file['sha256']}"]
    (VENDOR / file["name"]).write_bytes(content)
    print(f"{file['name']}: as the manifest says")
    return []


if __name__ == "__main__":
    main()

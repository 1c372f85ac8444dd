"""Checks the contract: format, lint, compatibility, and that the generated code is current.

    python -m scripts.check_protos

buf checks a compiled image, because the imported contracts come from the installed wheels (see
generate_protos.py) and buf would otherwise look for them on the network. Compatibility is checked
against the newest release tag; before the first release the contract may still change.
"""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.generate_protos import GENERATED, PROTOS, ROOT, generate, write_image

BUF = Path(sys.executable).with_name("buf")
CONFIG = ROOT / "buf.yaml"
RELEASE_TAGS = "v[0-9]*"


def main() -> None:
    """Runs every check; ends with status 1 if one fails."""
    faults = [fault for check in (format_fault, lint_fault, breaking_fault) for fault in check()]
    faults += generated_faults()
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)
    print("the contract is formatted, lints clean, and its generated code is current")


def format_fault() -> Iterator[str]:
    """Yields what `buf format` would change."""
    yield from _buf("format", str(PROTOS), "--diff", "--exit-code")


def lint_fault() -> Iterator[str]:
    """Yields what `buf lint` finds in the contract's own files."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        write_image(image)
        yield from _buf("lint", str(image), "--config", str(CONFIG), "--path", "memoir")


def breaking_fault() -> Iterator[str]:
    """Yields changes that would break clients of the newest release, if there is one."""
    tag = _git("describe", "--tags", "--abbrev=0", "--match", RELEASE_TAGS)
    if not tag:
        return
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new.binpb"
        old.mkdir()
        archive = subprocess.run(
            ["git", "archive", tag, "protos"], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", str(old)], input=archive.stdout, check=True)
        before = Path(folder) / "old.binpb"
        write_image(before, old / "protos")
        write_image(new)
        yield from _buf(
            *("breaking", str(new), "--against", str(before)),
            *("--config", str(CONFIG), "--path", "memoir"),
        )


def generated_faults() -> list[str]:
    """Returns the outdated files of `generated/`."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        names = _names(fresh) | _names(GENERATED)
        stale = sorted(
            name
            for name in names
            if not (fresh / name).exists()
            or not (GENERATED / name).exists()
            or not filecmp.cmp(fresh / name, GENERATED / name, shallow=False)
        )
    return [f"generated/{name} is not current: run `make proto` and commit it" for name in stale]


def _names(folder: Path) -> set[str]:
    files = (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {path.relative_to(folder).as_posix() for path in files}


def _buf(*arguments: str) -> list[str]:
    done = subprocess.run(
        [str(BUF), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return []
    return [f"buf {arguments[0]}: {done.stdout}{done.stderr}".rstrip()]


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    main()

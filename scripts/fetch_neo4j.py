"""Downloads the Neo4j server jars in a Maven pom into one folder, all or nothing.

Usage: fetch_neo4j.py POM FOLDER
"""

import shutil
import subprocess
import sys
from pathlib import Path

MARKER = "neo4j-server-*.jar"
"""A file in every complete download, which the embedded server checks."""

EVERY = 50
"""Files between two progress lines if the output is not a terminal."""

LOG_TAIL_LINES = 15


class FetchError(Exception):
    """The jars could not be downloaded; the message says what to do."""


def main() -> int:
    pom, folder = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        count = fetch(pom, folder)
    except FetchError as error:
        print(f"Neo4j was not downloaded: {error}", file=sys.stderr)
        return 1
    print(f"  {count} jars in {folder}")
    return 0


def fetch(pom: Path, folder: Path) -> int:
    """Replaces `folder` by the jars of `pom`, and returns their number.

    Raises FetchError if Java or Maven is missing or Maven fails; `folder` then stays unchanged.
    """
    for program, package in (("java", "a Java 17 runtime"), ("mvn", "Maven")):
        if shutil.which(program) is None:
            raise FetchError(f"`{program}` was not found; install {package} and run `make neo4j`")
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _run_maven(pom, partial, folder.with_name("maven.log"))
    if not any(partial.glob(MARKER)):
        raise FetchError(f"Maven ran without an error but {MARKER} is missing in {partial}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    folder.touch()
    return len(list(folder.iterdir()))


def _run_maven(pom: Path, target: Path, log_path: Path) -> None:
    command = [
        "mvn",
        "--batch-mode",
        "--strict-checksums",
        f"--file={pom}",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DexcludeTypes=pom",
        f"-DoutputDirectory={target.resolve()}",
    ]
    with log_path.open("w") as log:
        maven = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert maven.stdout is not None
        counter = _Counter()
        for line in maven.stdout:
            log.write(line)
            if "Downloaded from" in line:
                counter.add()
        counter.finish()
    if maven.wait() != 0:
        tail = "".join(log_path.read_text().splitlines(keepends=True)[-LOG_TAIL_LINES:])
        raise FetchError(f"Maven failed (whole log: {log_path}):\n{tail}")


class _Counter:
    """Shows the number of downloaded files: in place on a terminal, else in some lines."""

    def __init__(self) -> None:
        self._count = 0
        self._on_terminal = sys.stdout.isatty()

    def add(self) -> None:
        self._count += 1
        if self._on_terminal:
            print(f"\r  {self._count} files", end="", flush=True)
        elif self._count % EVERY == 0:
            print(f"  {self._count} files", flush=True)

    def finish(self) -> None:
        if self._on_terminal and self._count:
            print()


if __name__ == "__main__":
    sys.exit(main())

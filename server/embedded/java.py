"""Finds a Java runtime that Neo4j 5.18 can run on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from server.embedded.errors import MissingDependencyError

OLDEST_JAVA = 17
VERSION_SECONDS = 30.0

ADVICE = (
    f"install a Java {OLDEST_JAVA} runtime (or point JAVA_HOME at one), "
    "or set MEMOIR_NEO4J_URI to use a Neo4j server of your own"
)


def find_java() -> Path:
    """Return the Java program of JAVA_HOME, or else of PATH. Blocks while it tells its version.

    Raises MissingDependencyError when there is none or it is too old.
    """
    program = _locate()
    version = _major_version(program)
    if version < OLDEST_JAVA:
        raise MissingDependencyError(
            f"Neo4j needs Java {OLDEST_JAVA}, but {program} is Java {version}: {ADVICE}"
        )
    return program


def _locate() -> Path:
    if home := os.environ.get("JAVA_HOME"):
        program = Path(home) / "bin" / "java"
        if not program.exists():
            raise MissingDependencyError(f"JAVA_HOME is set but {program} is missing: {ADVICE}")
        return program
    found = shutil.which("java")
    if found is None:
        raise MissingDependencyError(f"Neo4j needs Java, and `java` was not found: {ADVICE}")
    return Path(found)


def _major_version(program: Path) -> int:
    try:
        answer = subprocess.run(
            [program, "-version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingDependencyError(f"{program} does not run ({error}): {ADVICE}") from error
    # Java 8 and before called themselves 1.8 and so on.
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if match is None:
        raise MissingDependencyError(f"{program} does not tell its version: {ADVICE}")
    return int(match.group(1))

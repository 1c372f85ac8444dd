"""Archives the classes that Neo4j loads, so that Java starts it in about half the CPU time.

Usage: python -m scripts.archive_neo4j LIB_FOLDER
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from neo4j import Driver, GraphDatabase
from neo4j.exceptions import ServiceUnavailable

from server.embedded import EmbeddedError, neo4j_home

START_SECONDS = 300.0
WRITE_SECONDS = 300.0

# They load the classes that plan and run statements.
STATEMENTS = (
    "CREATE CONSTRAINT named IF NOT EXISTS FOR (n:Named) REQUIRE (n.space, n.name) IS UNIQUE",
    "UNWIND $rows AS row MERGE (n:Named {space: 'x', name: row}) ON CREATE SET n.at = datetime()",
    "MATCH (a:Named), (b:Named) WHERE a.name < b.name MERGE (a)-[r:KNOWS {since: 1}]->(b)",
    "MATCH p = (a:Named {space: 'x'})-[:KNOWS*1..2]-(b) RETURN b.name, count(p) AS n ORDER BY n",
    "MATCH (n) DETACH DELETE n",
)


def main() -> int:
    try:
        archive(Path(sys.argv[1]).resolve())
    except (EmbeddedError, OSError, ServiceUnavailable, subprocess.TimeoutExpired) as error:
        print(f"The classes of Neo4j were not archived: {error}", file=sys.stderr)
        return 1
    return 0


def archive(lib: Path) -> None:
    """Runs the Neo4j of `lib` once, and lets Java write the archive when it ends."""
    written = neo4j_home.class_archive(lib)
    written.unlink(missing_ok=True)
    partial = written.with_name(f"{written.name}.part")
    with TemporaryDirectory() as folder:
        home = Path(folder)
        port = neo4j_home.choose_port(home)
        neo4j_home.write_configuration(home, port)
        password = neo4j_home.ensure_password(home)
        with (home / "console.log").open("wb") as log:
            java = subprocess.Popen(
                [
                    neo4j_home.find_java(),
                    *neo4j_home.server_arguments(
                        home, lib, [f"-XX:ArchiveClassesAtExit={partial}"]
                    ),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            uri = f"bolt://{neo4j_home.LOOPBACK}:{port}"
            with GraphDatabase.driver(uri, auth=(neo4j_home.USER, password)) as driver:
                _wait(driver)
                for statement in STATEMENTS:
                    driver.execute_query(statement, rows=["a", "b", "c"])
            java.terminate()
            java.wait(WRITE_SECONDS)
        finally:
            java.kill()
    partial.rename(written)


def _wait(driver: Driver) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            driver.verify_connectivity()
        except ServiceUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())

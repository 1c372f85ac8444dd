"""The Compose file and its scripts, without Docker: who gets which password, and that they work."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from server.embedded.postgres import find_programs
from server.storage.postgres.schema import migrate
from tests.support.server import ROOT

SCRIPTS = ROOT / "deploy" / "compose"
SERVER_USER = 10001


@pytest.fixture
def compose() -> dict[str, Any]:
    """The Compose file."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8")))


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """A folder for the passwords of the owner, and one for those of the servers."""
    made = [tmp_path / "owner", tmp_path / "service"]
    for folder in made:
        folder.mkdir()
    return made


def make_passwords(folders: list[Path]) -> dict[str, str]:
    subprocess.run(["sh", SCRIPTS / "make-passwords.sh", *folders], check=True)
    return {
        f"{folder.name}/{file.name}": file.read_text("utf-8")
        for folder in folders
        for file in folder.iterdir()
    }


def mounts(service: dict[str, Any]) -> set[str]:
    return {volume.split(":")[0] for volume in service["volumes"]}


def test_a_server_cannot_read_the_passwords_of_the_owner(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert "owner-passwords" not in mounts(services["server"])
    assert {"owner-passwords", "service-passwords"} <= mounts(services["migrate"])
    assert "//memoir_service@" in services["server"]["environment"]["MEMOIR_POSTGRES_DSN"]
    assert services["migrate"]["command"] == ["migrate", "--service-role", "memoir_service"]


def test_the_databases_require_a_password(compose: dict[str, Any]) -> None:
    assert "trust" not in str(compose)
    assert compose["services"]["postgres"]["environment"]["POSTGRES_HOST_AUTH_METHOD"] == (
        "scram-sha-256"
    )
    assert "NEO4J_AUTH" in " ".join(compose["services"]["neo4j"]["entrypoint"])
    assert all("ports" not in compose["services"][name] for name in ("postgres", "neo4j"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to the server's user")
def test_passwords_are_made_once(folders: list[Path]) -> None:
    passwords = make_passwords(folders)
    secrets = [
        passwords["owner/postgres"],
        passwords["service/postgres"],
        passwords["service/neo4j"],
    ]
    assert len(set(secrets)) == 3
    assert all(len(bytes.fromhex(secret)) == 24 for secret in secrets)
    assert passwords["service/pgpass"] == f"postgres:5432:memoir:memoir_service:{secrets[1]}\n"
    assert make_passwords(folders) == passwords
    for folder in folders:
        found = (folder / "pgpass").stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (SERVER_USER, 0o400)


def test_the_user_of_the_image_owns_the_password_files() -> None:
    assert f"--uid {SERVER_USER} " in (ROOT / "Dockerfile").read_text("utf-8")
    assert f"server_user={SERVER_USER}\n" in (SCRIPTS / "make-passwords.sh").read_text("utf-8")


async def test_the_service_role_is_made_as_the_migration_expects_it(
    empty_postgres_dsn: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(empty_postgres_dsn)
    host = str(await connection.fetchval("SHOW unix_socket_directories"))
    name = str(await connection.fetchval("SELECT current_database()"))
    await connection.execute("ALTER ROLE memoir_service RENAME TO memoir_service_of_tests")
    password = tmp_path / "password"
    password.write_text('it\'s a "secret"', "utf-8")
    try:
        script = await asyncio.create_subprocess_exec(
            "sh",
            SCRIPTS / "create-service-role.sh",
            env={
                "PATH": f"{find_programs()}:{os.environ['PATH']}",
                "PGHOST": host,
                "POSTGRES_USER": "postgres",
                "POSTGRES_DB": name,
                "SERVICE_PASSWORD_FILE": str(password),
            },
        )
        assert await script.wait() == 0
        await migrate(empty_postgres_dsn, lambda _: None, "memoir_service")
        [found] = await connection.fetch(
            "SELECT rolsuper OR rolbypassrls AS sees_all, rolcanlogin AS may_log_in,"
            " has_table_privilege(oid, 'memories', 'INSERT') AS may_write"
            " FROM pg_roles WHERE rolname = 'memoir_service'"
        )
        assert dict(found) == {"sees_all": False, "may_log_in": True, "may_write": True}
        await connection.execute("DROP OWNED BY memoir_service; DROP ROLE memoir_service")
    finally:
        await connection.execute("ALTER ROLE memoir_service_of_tests RENAME TO memoir_service")
        await connection.close()

import subprocess
from pathlib import Path

import pytest

from server.embedded import EmbeddedPostgres, no_progress
from tests.integration.embedded.support import Steps


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture(scope="session")
async def created_postgres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that has been started once. To be copied, not used."""
    directory = tmp_path_factory.mktemp("created")
    async with EmbeddedPostgres(directory, no_progress):
        pass
    return directory


@pytest.fixture
def home(created_postgres: Path, tmp_path: Path) -> Path:
    """A copied PostgreSQL data directory for one test, because creating one takes seconds."""
    directory = tmp_path / "postgres"
    # shutil would lose the owner: under root, PostgreSQL runs as another user.
    subprocess.run(["cp", "-a", created_postgres, directory], check=True)
    return directory

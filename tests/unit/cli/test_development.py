"""The development key, and the printed line with a first call."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path

import pytest
from google.protobuf import json_format
from memoir.v1.memory_service_pb2 import AddMemoriesRequest

from server.api.grpc.validation import check
from server.cli.development import KEY_FILE, LOCAL_GRPCURL, development_key, grpcurl_line
from server.projects.administration import Administration
from server.projects.project import key_id
from tests.support.builders import NOW
from tests.support.fakes import FakeClock, FakeProjectStore


@pytest.fixture
def administration() -> Administration:
    return Administration(FakeProjectStore(), FakeClock())


async def test_the_first_start_creates_a_project_and_a_key(
    administration: Administration, tmp_path: Path
) -> None:
    key = await development_key(administration, tmp_path)
    assert await administration.is_valid(key)
    [project] = await administration.list_projects()
    [record] = await administration.list_keys()
    assert (project.id, project.org_id) == ("default", "default")
    assert (record.id, record.project_id) == (key_id(key), "default")


async def test_later_starts_use_the_same_key(
    administration: Administration, tmp_path: Path
) -> None:
    first = await development_key(administration, tmp_path)
    assert await development_key(administration, tmp_path) == first
    assert len(await administration.list_keys()) == 1


async def test_a_new_key_of_the_same_project_replaces_a_lost_file(
    administration: Administration, tmp_path: Path
) -> None:
    first = await development_key(administration, tmp_path)
    (tmp_path / KEY_FILE).unlink()
    second = await development_key(administration, tmp_path)
    assert second != first
    assert await administration.is_valid(second)
    assert len(await administration.list_projects()) == 1


@pytest.mark.parametrize("text", ["mem_of_another_database\n", "", "garbage"])
async def test_an_invalid_key_is_replaced(
    administration: Administration, tmp_path: Path, text: str
) -> None:
    (tmp_path / KEY_FILE).write_text(text)
    key = await development_key(administration, tmp_path)
    assert await administration.is_valid(key)
    assert (tmp_path / KEY_FILE).read_text() == key + "\n"


async def test_a_revoked_key_is_replaced(administration: Administration, tmp_path: Path) -> None:
    first = await development_key(administration, tmp_path)
    await administration.revoke_key(key_id(first))
    assert await development_key(administration, tmp_path) != first


async def test_only_its_owner_can_read_the_key(
    administration: Administration, tmp_path: Path
) -> None:
    await development_key(administration, tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("installed", ["/usr/bin/grpcurl", None])
def test_the_printed_line_works(monkeypatch: pytest.MonkeyPatch, installed: str | None) -> None:
    monkeypatch.setattr("server.cli.development.shutil.which", lambda _: installed)
    words = shlex.split(grpcurl_line("mem_key", "127.0.0.1:50051").replace("\\\n", " "))
    assert words[0] == ("grpcurl" if installed else str(LOCAL_GRPCURL))
    assert words[1] == "-plaintext"
    assert words[-2:] == ["127.0.0.1:50051", "memoir.v1.MemoryService/AddMemories"]
    assert words[words.index("-H") + 1] == "authorization: Token mem_key"
    body = words[words.index("-d") + 1]
    request = json_format.ParseDict(json.loads(body), AddMemoriesRequest())
    check(request, NOW)
    assert len(request.messages[0].content.split(".")) > 2

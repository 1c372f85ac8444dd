"""The adapters for frameworks of agents, driven by the real frameworks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT, ServerProcess, clean_environment

ENVIRONMENTS = ROOT / ".local" / "adapters"
SUPPORT = ROOT / "tests" / "support" / "adapters"
COMMAND_SECONDS = 120.0
CELLO = {"text": "plays the cello", "rank": 3, "tags": ["music", None], "deep": {"a": 0.5}}


async def run(framework: str, script: Path, *arguments: str, **variables: str) -> str:
    """The output of a script in the environment with the framework (`make adapters`)."""
    python = ENVIRONMENTS / framework / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{framework} is not installed: `make adapters` could not reach PyPI")
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(script),
        *arguments,
        env=clean_environment(PYTHONPATH=f"{ROOT}/client:{ROOT}/generated", **variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def drive(framework: str, server: ServerProcess, key: str, app: str) -> dict[str, Any]:
    """What the driver of a framework printed."""
    script = SUPPORT / f"{framework}_driver.py"
    output: dict[str, Any] = json.loads(await run(framework, script, server.address, key, app))
    return output


async def test_the_store_does_all_that_langgraph_asks_of_one(
    server: ServerProcess, key: str, user: str
) -> None:
    output = await drive("langgraph", server, key, user)
    assert output["absent"] is None
    item = output["item"]
    assert (item["key"], item["namespace"], item["value"]) == ("hobby", ["users", "alice"], CELLO)
    assert item["created_at"] <= item["updated_at"]
    assert output["replaced"] == 4
    assert output["by_query"] == [["hobby", {**CELLO, "rank": 4}, ["users", "alice"]]]
    assert 0 < output["scored"] <= 1
    assert output["by_prefix"] == ["city", "hobby", "one", "same text"]
    assert output["all"] == 7
    assert output["page"] == ["same text", "city"]
    assert output["filtered"] == ["hobby", "hobby"]
    assert output["equal"] == ["city", "same text"]
    assert output["not_indexed"] == ["hobby"]
    assert output["long_key"] == [["x" * 300, {"text": "no relation"}, ["users", "alice-2"]]]
    assert output["namespaces"] == [
        ["users", "alice"],
        ["users", "alice", "notes"],
        ["users", "alice-2"],
        ["users", "bob"],
    ]
    assert output["by_suffix"] == output["by_wildcard"] == [["users", "alice", "notes"]]
    assert output["shallow"] == [["users"]]
    assert output["batch"] == [None, None, "hobby", 2]
    assert output["last"] == {"text": "last"}
    assert output["deleted"] is None
    assert output["refused"] == ["ValueError", "ValueError", "TypeError"]
    assert output["async"] == {"item": {"text": "said later"}, "hits": 1, "deleted": None}
    assert output["other_app"] == []


async def test_the_memory_service_does_all_that_adk_asks_of_one(
    server: ServerProcess, key: str, user: str
) -> None:
    output = await drive("adk", server, key, user)
    assert output["kept"] == [
        ["assistant", "helper", "The suites are a good start.", "s-1"],
        ["assistant", "helper", "Which composers do you like?", "s-1"],
        ["user", None, "I like Bach.", "s-1"],
        ["user", None, "I play the cello.", "s-1"],
    ]
    assert output["text"] == "Alice is left-handed."
    assert output["found"]["author"] == "user"
    assert output["found"]["timestamp"] == "2026-01-02T03:04:05+00:00"
    assert output["metadata"] == {"source": "form"}
    assert output["still"]
    assert output["gone"]
    assert any("Lisbon" in text for text in output["inferred"])
    assert output["inferred_metadata"] == {"channel": "web"}
    assert output["strangers"] == 0


@pytest.mark.parametrize(
    ("framework", "example"), [("langgraph", "langgraph_store"), ("adk", "adk_memory")]
)
async def test_the_examples_run_as_they_are(
    server: ServerProcess, key: str, framework: str, example: str
) -> None:
    script = ROOT / "examples" / f"{example}.py"
    output = await run(framework, script, server.address, MEMOIR_API_KEY=key)
    assert output.splitlines() == ["Nice to meet you.", "You said: My sister plays the cello."]

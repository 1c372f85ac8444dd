"""The commands and code of README.md and of the Python client's page run as they are."""

from __future__ import annotations

import asyncio
import re
import shlex

from tests.support.server import ROOT, Client, Home, ServerProcess, key_of_new
from tests.support.tools import run_tool

PAGE = ROOT / "docs" / "python-client.md"
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"^\$ (grpcurl .*?)\n(\{\n.*?)^```$", re.MULTILINE | re.DOTALL)
# They differ between runs: the id, and which month the last one was.
_PASSING = re.compile(r'"id": "[^"]+"|\(\d{4}-\d\d\)')


def lines_of(answer: str) -> list[str]:
    """Returns the lines of JSON without what differs between runs and what stands for the rest."""
    lines = (_PASSING.sub("", line).strip().rstrip(",") for line in answer.splitlines())
    return [line for line in lines if line != "…"]


async def test_the_readmes_call_has_the_answer_below_it(
    server: ServerProcess, shared_home: Home
) -> None:
    [(call, answer)] = _CALL.findall(README.read_text(encoding="utf-8"))
    key = await key_of_new(shared_home)
    call = call.replace("127.0.0.1:50051", server.address).replace("mem_…", key)
    status, printed = await run_tool(*shlex.split(call.replace("\\\n", "")))
    assert status == 0, printed
    remaining = iter(lines_of(printed))
    assert [line for line in lines_of(answer) if line not in remaining] == []


async def test_the_readmes_code_runs(client: Client, shared_home: Home) -> None:
    [code] = [
        block
        for block in _BLOCK.findall(README.read_text(encoding="utf-8"))
        if "print([hit.text" in block
    ]
    key = await key_of_new(shared_home)
    script = code.replace("127.0.0.1:50051", client.address).replace("mem_...", key)
    printed: list[object] = []
    names = {"print": printed.append}
    await asyncio.to_thread(exec, compile(script, str(README), "exec"), names)
    assert printed == [["User moved to Lisbon"]]


async def test_the_pages_code_runs(client: Client, shared_home: Home) -> None:
    code = "\n".join(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    key = await key_of_new(shared_home)
    script = code.replace("127.0.0.1:50051", client.address).replace("mem_...", key)
    printed: list[str] = []

    def show(*values: object) -> None:
        printed.append(" ".join(map(str, values)))

    await asyncio.to_thread(exec, compile(script, str(PAGE), "exec"), {"print": show})
    text = "\n".join(printed)
    assert "Ana lives_in Porto" in text
    assert "User plays the cello" in text
    assert "Violation(field='query'" in text

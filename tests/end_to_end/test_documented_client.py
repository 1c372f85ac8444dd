"""The code on the page of the Python client runs as it stands there."""

from __future__ import annotations

import asyncio
import re

from tests.support.server import ROOT, Client, Home, key_of_new

PAGE = ROOT / "docs" / "python-client.md"
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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

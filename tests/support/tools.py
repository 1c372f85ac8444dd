"""Running the tools that `make tools` builds."""

from __future__ import annotations

import asyncio
import shutil

from tests.support.server import ROOT

TOOL_SECONDS = 90.0


def find_tool(name: str) -> str:
    """Returns the path of a tool.

    Raises:
        AssertionError: it is not installed; the message says what to run.
    """
    local = ROOT / ".local" / "bin" / name
    found = str(local) if local.exists() else shutil.which(name)
    assert found, f"{name} is missing: run `make tools`"
    return found


async def run_tool(name: str, *arguments: str) -> tuple[int, str]:
    """Runs a tool and returns its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        find_tool(name),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), TOOL_SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode()

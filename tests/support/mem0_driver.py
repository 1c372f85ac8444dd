"""Drives one of Mem0's own clients, in an environment where it is installed.

    python mem0_driver.py sync|async HOST KEY

Reads one call a line, `{"method", "args", "kwargs"}`, and answers each with a line: `{"result"}` or
`{"error", "message"}`. A method may be nested, such as `project.get`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from typing import Any


async def main() -> None:
    """Answers calls until the input ends."""
    kind, host, key = sys.argv[1:]
    # Imported at run time, because the environment of the tests does not have it.
    client_module: Any = importlib.import_module("mem0.client.main")
    made = client_module.MemoryClient if kind == "sync" else client_module.AsyncMemoryClient
    client = made(api_key=key, host=host)
    answer({"result": {"org_id": client.org_id, "project_id": client.project_id}})
    for line in sys.stdin:
        call = json.loads(line)
        try:
            method = client
            for name in call["method"].split("."):
                method = getattr(method, name)
            result = method(*call["args"], **call["kwargs"])
            answer({"result": await result if inspect.isawaitable(result) else result})
        except Exception as error:  # noqa: BLE001 - the test is told whatever it is
            # Some of the older asynchronous methods raise httpx's own errors.
            body = getattr(getattr(error, "response", None), "text", "")
            answer({"error": type(error).__name__, "message": f"{error} {body}"})


def answer(value: object) -> None:
    """Writes one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())

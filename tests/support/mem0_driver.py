"""Drives one of Mem0's own clients, in an environment where it is installed.

    python mem0_driver.py

Reads one request a line, and answers each with a line: `{"result"}` or `{"error", "message"}`.
`{"connect", "host", "key"}` makes a client, which is `sync` or `async`. `{"method", "args",
"kwargs"}` calls a method of the newest client; it may be nested, such as `project.get`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from typing import Any


async def main() -> None:
    """Answers requests until the input ends."""
    # Imported at run time, because the environment of the tests does not have it.
    client_module: Any = importlib.import_module("mem0.client.main")
    client: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if kind := request.get("connect"):
                client = connect(client_module, kind, request["host"], request["key"])
                answer({"result": None})
            else:
                result = call(client, request)
                answer({"result": await result if inspect.isawaitable(result) else result})
        except Exception as error:  # noqa: BLE001 - the test is told whatever it is
            # Some of the older asynchronous methods raise httpx's own errors.
            body = getattr(getattr(error, "response", None), "text", "")
            answer({"error": type(error).__name__, "message": f"{error} {body}"})


def connect(client_module: Any, kind: str, host: str, key: str) -> Any:
    """Makes a client, which checks the key."""
    made = client_module.MemoryClient if kind == "sync" else client_module.AsyncMemoryClient
    return made(api_key=key, host=host)


def call(client: Any, request: Any) -> Any:
    """Calls the method that the request names."""
    method = client
    for name in request["method"].split("."):
        method = getattr(method, name)
    return method(*request["args"], **request["kwargs"])


def answer(value: object) -> None:
    """Writes one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())

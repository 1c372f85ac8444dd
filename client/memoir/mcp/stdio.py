"""`memoir-mcp`: the tools over standard input and output, for an agent on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version

from memoir.channels import API_KEY_VARIABLE, tls_of
from memoir.client_async import AsyncClient
from memoir.mcp import fixed_scope
from memoir.options import Scope

ADDRESS_VARIABLE = "MEMOIR_ADDRESS"
DEFAULT_ADDRESS = "127.0.0.1:50051"
SCOPE_VARIABLES = {
    "user_id": "MEMOIR_USER_ID",
    "agent_id": "MEMOIR_AGENT_ID",
    "app_id": "MEMOIR_APP_ID",
    "run_id": "MEMOIR_RUN_ID",
}


def scope_of(environment: Mapping[str, str]) -> Scope:
    """Returns the scope in the environment.

    Raises:
        ValueError: there is none.
    """
    scope = fixed_scope(lambda part: environment.get(SCOPE_VARIABLES[part]))
    if not scope:
        raise ValueError(f"set at least one of {', '.join(SCOPE_VARIABLES.values())}")
    return scope


async def serve(environment: Mapping[str, str]) -> None:
    """Serves until the standard input ends.

    Raises:
        ValueError: the environment has no key or no scope.
    """
    # Imported late, so that a missing extra causes a message instead of a traceback.
    from memoir.mcp.tools import Account, build_server  # noqa: PLC0415

    scope = scope_of(environment)
    address = environment.get(ADDRESS_VARIABLE, DEFAULT_ADDRESS)
    key, tls = environment.get(API_KEY_VARIABLE), tls_of(environment)
    async with AsyncClient(address, key, tls=tls) as client:
        account = Account(client, scope)
        await build_server(lambda _: account, version("memoir")).run_stdio_async()


def main() -> None:
    """Entry point of the command."""
    try:
        asyncio.run(serve(os.environ))
    except ModuleNotFoundError as error:
        sys.exit(f"memoir-mcp needs {error.name}: pip install 'memoir[mcp]'")
    except (OSError, ValueError) as error:
        sys.exit(f"memoir-mcp: {error}")


if __name__ == "__main__":
    main()

"""The connections between the servers and their dependencies, and the faults of these."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from server.core.values import Neo4jAddress
from tests.support.gemini_server import API_KEY
from tests.support.postgres import SERVICE_ROLE
from tests.support.toxiproxy import Toxiproxy, relayed

POSTGRES, NEO4J, GEMINI = "postgresql", "neo4j", "gemini"
DEPENDENCIES: Final = (POSTGRES, NEO4J, GEMINI)


@dataclass(frozen=True, slots=True)
class ConnectionFault:
    """A fault of a connection: a toxic of toxiproxy."""

    name: str
    kind: str
    attributes: Mapping[str, int]


def connection_faults(chance: random.Random) -> list[ConnectionFault]:
    """Returns all kinds of faults, with random figures."""
    milliseconds, size = chance.randrange(50, 800), chance.randrange(1, 3000)
    return [
        ConnectionFault(
            f"{milliseconds} ms late", "latency", {"latency": milliseconds, "jitter": 50}
        ),
        ConnectionFault("reset", "reset_peer", {"timeout": 0}),
        ConnectionFault(f"cut after {size} bytes", "limit_data", {"bytes": size}),
        ConnectionFault("silent", "timeout", {"timeout": 0}),
    ]


@dataclass(frozen=True, slots=True)
class Network:
    """The proxies, and the settings with which a server uses them."""

    proxy: Toxiproxy
    variables: Mapping[str, str]


@asynccontextmanager
async def network(dsn: str, neo4j: Neo4jAddress, gemini: str) -> AsyncIterator[Network]:
    """Proxies of a PostgreSQL on a Unix socket, a Neo4j, and an endpoint of the Gemini API."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Toxiproxy())
        relay = await stack.enter_async_context(relayed(_socket(dsn)))
        postgres_port = await proxy.lead(POSTGRES, relay)
        neo4j_port = await proxy.lead(NEO4J, urlsplit(neo4j.uri).netloc)
        gemini_port = await proxy.lead(GEMINI, urlsplit(gemini).netloc)
        variables = {
            "MEMOIR_POSTGRES_DSN": f"postgresql://{SERVICE_ROLE}@127.0.0.1:{postgres_port}/postgres",
            "MEMOIR_NEO4J_URI": f"bolt://127.0.0.1:{neo4j_port}",
            "MEMOIR_MODELS": "gemini",
            "GEMINI_API_KEY": API_KEY,
            "MEMOIR_GEMINI_BASE_URL": f"http://127.0.0.1:{gemini_port}",
        }
        yield Network(proxy, variables)


def _socket(dsn: str) -> Path:
    place = parse_qs(urlsplit(dsn).query)
    return Path(place["host"][0], f".s.PGSQL.{place['port'][0]}")

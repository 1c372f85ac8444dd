"""Reading the measurements of a running server."""

from __future__ import annotations

import asyncio
import re
from urllib.request import urlopen

from memoir.v1 import memory_service_pb2, statistics_service_pb2

from tests.support.server import Client, ServerProcess

_METRICS = re.compile(r"metrics on (\S+)")


async def add(client: Client, text: str, correlation_id: str = "added-1") -> None:
    """Adds a message of Alice, with this correlation id."""
    request = memory_service_pb2.AddMemoriesRequest(user_id="alice")
    request.messages.add(role="user", content=text)
    metadata = (*client.metadata, ("x-correlation-id", correlation_id))
    await client.memory.AddMemories(request, metadata=metadata)


async def statistics_of(client: Client) -> statistics_service_pb2.Statistics:
    """Returns the statistics of the client's project."""
    answer = await client.statistics.GetStatistics(
        statistics_service_pb2.GetStatisticsRequest(), metadata=client.metadata
    )
    return answer.statistics


async def metrics_of(process: ServerProcess) -> str:
    """Returns the metrics that the process exposes, as Prometheus reads them."""
    found = [match[1] for line in process.output if (match := _METRICS.search(line))]
    return await asyncio.to_thread(lambda: urlopen(found[0], timeout=20).read().decode())

"""Clients that add without pause, over gRPC and over HTTP, during all faults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
import grpc
from google.protobuf import json_format
from memoir.v1 import memory_pb2, memory_service_pb2
from memoir.v1.memory_service_pb2_grpc import MemoryServiceStub

from tests.support.chaos.recorder import Outcome, Recorded, Recorder, reason_of
from tests.support.operations import response_of, wait
from tests.support.server import ServerProcess, connected

CALL_SECONDS = 5.0
REPEAT_SECONDS = 60.0
OK = 200
_PLACES = ("Lisbon", "Oslo", "Quito", "Seoul", "Cairo")


class Workload:
    """Sends each add to a random server, sometimes twice, and records the outcome."""

    def __init__(self, servers: Sequence[ServerProcess], key: str, chance: random.Random) -> None:
        self._servers = servers
        self._key = key
        self._metadata = (("authorization", f"Token {key}"),)
        self._chance = chance
        self._number = 0
        self.recorder = Recorder()

    @asynccontextmanager
    async def running(self, callers: int) -> AsyncIterator[None]:
        """Adds during the block, and waits for its calls before the block ends."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._add_until(stop)) for _ in range(callers)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def repeat_unknown(self) -> None:
        """Repeats the calls of unknown outcome until they are acknowledged, as a client would.

        They must change nothing that is stored already. The turn of a killed server ends with its
        lease.
        """
        for call in list(self.recorder.with_outcome(Outcome.UNKNOWN)):
            async with asyncio.timeout(REPEAT_SECONDS):
                await self._send(call, self._servers[0])
                while call.outcome is not Outcome.ACKNOWLEDGED:
                    await asyncio.sleep(0.25)
                    await self._send(call, self._servers[0])

    async def finish_operations(self) -> int:
        """Waits for all accepted operations and returns their number.

        Raises:
            AssertionError: one has failed.
        """
        accepted = [call for call in self.recorder.calls if call.operation]
        async with connected(self._servers[0].address, self._key) as client:
            for call in accepted:
                done = await wait(client, call.operation, seconds=int(REPEAT_SECONDS))
                assert done.done, f"{call.operation} is not done"
                assert not done.HasField("error"), f"{call.operation}: {done.error}"
                call.complete(response_of(done))
        return len(accepted)

    async def _add_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            call = self.recorder.begin(self._request())
            deliveries = 2 if self._chance.random() < 0.1 else 1
            servers = [self._chance.choice(self._servers) for _ in range(deliveries)]
            await asyncio.gather(*(self._send(call, server) for server in servers))
            if call.outcome is not Outcome.ACKNOWLEDGED:
                # An unavailable server refuses at once: pause, as a client would.
                await asyncio.sleep(0.25)

    async def _send(self, call: Recorded, server: ServerProcess) -> None:
        """Sends the call over gRPC or HTTP; both identify a request by its request id."""
        if self._chance.random() < 0.5:
            await self._send_over_http(call, server.http_address)
        else:
            await self._send_over_grpc(call, server.address)

    async def _send_over_http(self, call: Recorded, address: str) -> None:
        body = json_format.MessageToDict(call.request, preserving_proto_field_name=True)
        headers = {"idempotency-key": body.pop("request_id"), **dict(self._metadata)}
        patience = aiohttp.ClientTimeout(total=CALL_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(address, headers=headers, timeout=patience) as session,
                session.post("/memoir/v1/memories:add", json=body) as response,
            ):
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError):
            call.fail(None)
            return
        if response.status == OK:
            call.acknowledge(
                json_format.ParseDict(answer, memory_service_pb2.AddMemoriesResponse())
            )
            return
        reason: str = answer["details"]["reason"]
        assert reason != "ERROR_REASON_INTERNAL", answer
        call.fail(reason.removeprefix("ERROR_REASON_"))

    async def _send_over_grpc(self, call: Recorded, address: str) -> None:
        # A new channel, because a failed one would wait before it reconnects.
        async with grpc.aio.insecure_channel(address) as channel:
            try:
                response = await MemoryServiceStub(channel).AddMemories(
                    call.request, metadata=self._metadata, timeout=CALL_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                call.fail(reason_of(error))
            else:
                call.acknowledge(response)

    def _request(self) -> memory_service_pb2.AddMemoriesRequest:
        self._number += 1
        number = self._number
        infer = self._chance.random() < 0.25
        later = self._chance.random() < 0.25
        contents = (
            [f"I work with Person{number} in {self._chance.choice(_PLACES)}."]
            if infer
            else [f"{number} says this", f"{number} says that"]
        )
        return memory_service_pb2.AddMemoriesRequest(
            user_id=f"user-{number if infer else number % 20}",
            infer=infer,
            async_mode=later,
            request_id=str(UUID(int=self._chance.getrandbits(128), version=4)),
            messages=[memory_pb2.Message(role="user", content=content) for content in contents],
        )

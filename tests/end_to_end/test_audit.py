"""The audit log over the wire and on the command line; it names the key that did something."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from memoir.v1 import audit_service_pb2, memory_service_pb2
from memoir.v1.audit_service_pb2_grpc import AuditServiceStub

from server.projects.project import KeyRole, key_id
from tests.support.api import add
from tests.support.keys import holding, reason
from tests.support.server import Client, Home, connected, key_of_new, run_command

List = audit_service_pb2.ListAuditEventsRequest


async def events(client: Client, size: int = 0) -> list[audit_service_pb2.AuditEvent]:
    """The whole log, read in pages of this size."""
    stub: Any = AuditServiceStub(client.channel)
    found: list[audit_service_pb2.AuditEvent] = []
    token = ""
    while True:
        page = await stub.ListAuditEvents(
            List(page_size=size, page_token=token), metadata=client.metadata
        )
        found += page.events
        token = page.next_page_token
        if not token:
            return found


async def test_only_the_project_reads_who_deleted_what(
    client: Client, shared_home: Home, user: str
) -> None:
    async with connected(client.address, await key_of_new(shared_home)) as owner:
        added = await add(owner, user, "I saw a kestrel", infer=False)
        memory_id = added.results[0].id
        delete = memory_service_pb2.DeleteMemoryRequest(id=memory_id)
        metadata = (*owner.metadata, ("x-correlation-id", "audited-1"))
        await owner.memory.DeleteMemory(delete, metadata=metadata)
        await owner.memory.RestoreMemory(
            memory_service_pb2.RestoreMemoryRequest(id=memory_id, version=1),
            metadata=owner.metadata,
        )
        scope = memory_service_pb2.DeleteScopeRequest(
            kind=memory_service_pb2.SCOPE_KIND_USER, id=user
        )
        await owner.memory.DeleteScope(scope, metadata=owner.metadata)
        log = await events(owner, size=2)
        assert [event.action for event in log] == [
            "DeleteScope",
            "RestoreMemory",
            "DeleteMemory",
            "CreateKey",
            "CreateProject",
        ]
        deleted = log[2]
        assert deleted.key_id == key_id(owner.key)
        assert deleted.peer.startswith(("ipv4:127.0.0.1:", "ipv6:%5B::1%5D:"))
        assert deleted.correlation_id == "audited-1"
        assert MessageToDict(deleted.target)["memory_ids"] == [memory_id]
        assert log[0].after["memories"] == 1
        assert user not in str(log)
        assert "kestrel" not in str(log)
    assert all(event.correlation_id != "audited-1" for event in await events(client))


async def test_only_admins_read_the_log(client: Client, shared_home: Home) -> None:
    async with holding(client, shared_home, KeyRole.WRITE) as writer:
        assert (await reason(events(writer)))[1] == "ROLE_REQUIRED"


async def test_the_command_line_exports_what_it_did(client: Client, shared_home: Home) -> None:
    environment = shared_home.environment
    project = f"audited-{shared_home.directory.name}"
    await run_command("projects", "create", project, environment=environment)
    exported = await run_command("audit", "--project", project, "--export", environment=environment)
    [line] = [json.loads(line) for line in exported.splitlines()]
    assert (line["action"], line["target"]) == ("CreateProject", {"project_id": project})
    assert line["peer"].startswith("cli:")
    assert line["correlation_id"].startswith("cli-")
    shown = await run_command("audit", "--since", "1h", environment=environment)
    assert "CreateProject" in shown
    assert project in shown
    old = await run_command(
        "audit", "--project", project, "--since", "0s", "--export", environment=environment
    )
    assert old == ""


async def test_the_key_of_a_call_is_in_its_history_its_trace_and_the_log(
    client: Client, shared_home: Home, user: str
) -> None:
    metadata = (*client.metadata, ("x-correlation-id", f"keyed-{user}"))
    request = memory_service_pb2.AddMemoriesRequest(user_id=user, infer=False)
    request.messages.add(role="user", content="I like tea")
    added = await client.memory.AddMemories(request, metadata=metadata)
    listed = await client.memory.ListMemoryEvents(
        memory_service_pb2.ListMemoryEventsRequest(id=added.results[0].id),
        metadata=client.metadata,
    )
    identifier = key_id(client.key)
    assert [event.provenance.key_id for event in listed.events] == [identifier]
    trace = await run_command("trace", f"keyed-{user}", environment=shared_home.environment)
    assert f"key={identifier}" in trace
    assert "peer=ipv" in trace

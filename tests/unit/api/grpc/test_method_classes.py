"""Every method of the contract has its class."""

from __future__ import annotations

from server.api.grpc.method_classes import MethodClass, method_class
from server.api.grpc.server import CONTRACT


def classes() -> dict[str, MethodClass]:
    return {
        method.name: method_class(
            f"{service.full_name}/{method.name}",
            streams=method.client_streaming or method.server_streaming,
        )
        for service in CONTRACT
        for method in service.methods
    }


def named(kind: MethodClass) -> set[str]:
    return {name for name, of in classes().items() if of is kind}


def test_what_changes_something_is_a_write() -> None:
    assert named(MethodClass.WRITE) == {
        "AddMemories",
        "UpdateMemory",
        "DeleteMemory",
        "RestoreMemory",
        "BatchUpdateMemories",
        "BatchDeleteMemories",
        "DeleteMemories",
        "DeleteScope",
        "UpdateProject",
        "DeleteOperation",
        "CancelOperation",
    }


def test_what_waits_is_a_stream() -> None:
    assert named(MethodClass.STREAM) == {"WatchMemoryEvents", "WatchStatistics", "WaitOperation"}


def test_everything_else_is_a_read() -> None:
    assert {"SearchMemories", "GetMemory", "ListRelations", "FindPaths"} <= named(MethodClass.READ)

"""Every method of the contract has its class."""

from __future__ import annotations

from server.api.grpc.access_rules import MethodClass, method_class
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


def test_methods_that_change_something_are_writes() -> None:
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


def test_methods_that_wait_are_streams() -> None:
    assert named(MethodClass.STREAM) == {"WatchMemoryEvents", "WatchStatistics", "WaitOperation"}


def test_all_other_methods_are_reads() -> None:
    assert {"SearchMemories", "GetMemory", "ListRelations", "FindPaths"} <= named(MethodClass.READ)

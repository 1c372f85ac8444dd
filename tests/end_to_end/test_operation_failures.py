"""Asynchronous adds that fail, and the operator's commands for them."""

from __future__ import annotations

from google.rpc import error_details_pb2
from memoir.v1 import memory_service_pb2

from tests.support import gemini_faults
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import API_KEY
from tests.support.operations import add, metadata_of, page, texts, wait
from tests.support.server import Home, connected, key_of, run_command

Metadata = memory_service_pb2.OperationMetadata


async def test_what_fails_again_and_again_is_given_up_and_can_be_retried(
    home: Home, gemini: GeminiEndpoint
) -> None:
    server = home.server(
        MEMOIR_MODELS="gemini",
        GEMINI_API_KEY=API_KEY,
        MEMOIR_GEMINI_BASE_URL=gemini.base_url,
        MEMOIR_OPERATIONS_MAX_FAILURES="2",
    )
    await server.start()
    async with connected(server.address, await key_of(home)) as client:
        gemini.fail("generateContent", gemini_faults.max_tokens, times=2)
        name = (await add(client, "alice", "I live in Lisbon.", async_mode=True)).operation.name
        failed = await wait(client, name)
        info = error_details_pb2.ErrorInfo()
        assert failed.error.details[0].Unpack(info)
        assert (info.reason, info.metadata["cause"]) == (
            "ERROR_REASON_EXTRACTION_FAILED",
            "truncated",
        )
        assert metadata_of(failed).state == Metadata.STATE_FAILED
        assert metadata_of(failed).attempts == 2
        assert not await texts(client, "alice")
        listed = await page(client, filter="state = FAILED")
        assert [operation.name for operation in listed.operations] == [name]

        operation_id = name.rpartition("/")[2]
        of_project = ("--project", home.project)
        shown = await run_command(
            "operations", "show", *of_project, operation_id, environment=home.environment
        )
        assert "ExtractionFailed" in shown
        await run_command(
            "operations", "retry", *of_project, operation_id, environment=home.environment
        )
        done = await wait(client, name)
        assert metadata_of(done).state == Metadata.STATE_SUCCEEDED
        assert await texts(client, "alice") == ["User lives in Lisbon"]
        printed = await run_command("operations", "list", *of_project, environment=home.environment)
        assert operation_id in printed
        await run_command(
            "operations", "retry", *of_project, operation_id,
            environment=home.environment, status=1,
        )  # fmt: skip
    await server.stop()

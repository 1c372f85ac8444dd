"""The contents of errors for clients."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from server.core.errors import (
    DeadlineExceeded,
    ExtractionFailed,
    FieldViolation,
    InvalidRequest,
    MemoirError,
    MemoryNotFound,
    ProjectRequired,
    Unimplemented,
)
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable, Retryable

ID = UUID(int=7)


def test_an_invalid_request_names_every_field_once() -> None:
    error = InvalidRequest(
        [
            FieldViolation("query", "too short"),
            FieldViolation("top_k", "too large"),
            FieldViolation("query", "no words"),
            FieldViolation("", "of the whole message"),
        ]
    )
    assert error.message == "invalid fields: query, top_k"
    assert len(error.violations) == 4


def test_an_invalid_request_without_fields_says_so() -> None:
    assert InvalidRequest([]).message == "invalid request"


def test_a_required_project_is_a_violation_of_its_field() -> None:
    assert [v.field for v in ProjectRequired().violations] == ["project_id"]


def test_problems_of_a_models_answer_are_not_sent_to_the_client() -> None:
    error = ExtractionFailed("test/model", "invalid", ["the model wrote: secret"])
    assert error.problems == ("the model wrote: secret",)
    assert "secret" not in error.message
    assert error.metadata == {"model": "test/model", "cause": "invalid"}


@pytest.mark.parametrize(
    ("error", "metadata"),
    [
        (MemoryNotFound(ID), {"id": str(ID)}),
        (Unimplemented("S/M"), {"method": "S/M"}),
        (DeadlineExceeded(), {}),
    ],
)
def test_metadata_has_the_values_that_programs_need(
    error: MemoirError, metadata: dict[str, str]
) -> None:
    assert error.metadata == metadata
    assert str(error) == error.message


def test_an_exhausted_quota_has_a_longer_delay_than_a_fault() -> None:
    assert ModelUnavailable("m").retry_after < ModelQuotaExhausted("m").retry_after


def test_the_delay_of_a_provider_is_used() -> None:
    error: Retryable = ModelQuotaExhausted("m", timedelta(seconds=7))
    assert error.retry_after == timedelta(seconds=7)

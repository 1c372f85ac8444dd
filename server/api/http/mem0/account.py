"""The key's project, asynchronous adds as events, and feedback."""

from __future__ import annotations

from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from google.longrunning import operations_proto_pb2
from memoir.v1.memory_service_pb2 import (
    GetMemoryRequest,
    GetMemoryResponse,
    UpdateMemoryRequest,
)
from memoir.v1.project_service_pb2 import (
    GetProjectRequest,
    GetProjectResponse,
    Project,
    UpdateProjectRequest,
    UpdateProjectResponse,
)

from server.api.grpc.convert.values import from_struct
from server.api.http.door import OneCall, Session, SeveralCalls
from server.api.http.exchange import Exchange, message_of
from server.api.http.mem0 import fields
from server.api.http.mem0.shapes import added_by, event_json, notice_texts
from server.core.errors import FieldViolation, InvalidRequest

_SETTINGS: Final = ("custom_instructions", "custom_categories")
_FEEDBACK: Final = ("POSITIVE", "NEGATIVE", "VERY_NEGATIVE")


def _read_ping(exchange: Exchange) -> GetProjectRequest:
    """Converts the request; the project is that of the key."""
    return message_of(GetProjectRequest, fields.project_of(exchange))


def _write_ping(response: GetProjectResponse, _exchange: Exchange) -> object:
    """Returns what the constructors of Mem0's clients read. Keys have no owner, so no address."""
    return {
        "status": "ok",
        "org_id": response.project.org_id,
        "project_id": response.project.id,
        "user_email": None,
    }


def _read_project(exchange: Exchange) -> GetProjectRequest:
    return message_of(GetProjectRequest, dict(exchange.path))


def _write_project(
    response: GetProjectResponse | UpdateProjectResponse, exchange: Exchange
) -> object:
    """Returns the project's settings, or only the `fields` in the query, if given."""
    names = exchange.request.query_params.getlist("fields")
    found = _project_json(response.project)
    return {name: value for name, value in found.items() if not names or name in names}


def _project_json(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "project_id": project.id,
        "org_id": project.org_id,
        "name": project.id,
        "custom_instructions": project.custom_instructions or None,
        "custom_categories": [
            {category.name: category.description} for category in project.custom_categories
        ]
        or None,
        "created_at": project.create_time.ToJsonString(),
        "updated_at": project.update_time.ToJsonString(),
    }


def _read_project_update(exchange: Exchange) -> UpdateProjectRequest:
    """Converts the request, with the settings that the contract also has."""
    known = fields.used_fields(exchange, exchange.json_object(), _SETTINGS)
    project = {name: value for name, value in known.items() if value is not None}
    if "custom_categories" in project:
        project["custom_categories"] = fields.translated_categories(project["custom_categories"])
    violations: list[FieldViolation] = []
    if not known:
        problem = f"name at least one of {', '.join(_SETTINGS)}"
        violations.append(FieldViolation("update_mask", problem))
    value = {**exchange.path, "project": project, "update_mask": ",".join(known)}
    return message_of(UpdateProjectRequest, value, violations)


def _project_field(field: str) -> str:
    """Returns Mem0's name for a field of a project."""
    return "custom_instructions" if field == "update_mask" else field.removeprefix("project.")


async def _event(exchange: Exchange, session: Session) -> object:
    """`GET /v1/event/{id}/`: returns the state of an asynchronous add."""
    request = message_of(GetProjectRequest, fields.project_of(exchange))
    project: GetProjectResponse = await session.call(request)
    name = f"projects/{project.project.id}/operations/{exchange.path['id']}"
    operation = await session.call(operations_proto_pb2.GetOperationRequest(name=name))
    exchange.notices += notice_texts(added_by(operation))
    return event_json(operation)


async def _feedback(exchange: Exchange, session: Session) -> object:
    """`POST /v1/feedback/`: stores feedback in the memory's metadata, for use in filters."""
    sent = fields.used_fields(
        exchange,
        fields.sent_fields(exchange),
        {"memory_id", "feedback", "feedback_reason", *fields.PROJECT_FIELDS},
    )
    feedback, reason = sent.get("feedback"), sent.get("feedback_reason")
    violations = []
    if feedback is not None and feedback not in _FEEDBACK:
        violations.append(FieldViolation("feedback", f"must be one of {', '.join(_FEEDBACK)}"))
    if reason is not None and not isinstance(reason, str):
        violations.append(FieldViolation("feedback_reason", "must be a string"))
    named = {name: sent[name] for name in fields.PROJECT_FIELDS if name in sent}
    named["id"] = sent.get("memory_id", "")
    read = message_of(GetMemoryRequest, named, violations)
    if violations:
        raise InvalidRequest(violations)
    found: GetMemoryResponse = await session.call(read)
    metadata = from_struct(found.memory.metadata)
    metadata["feedback"] = {"feedback": feedback, "feedback_reason": reason}
    if feedback is None:
        del metadata["feedback"]
    # The etag prevents overwriting a concurrent change.
    value = {
        **named,
        "changes": {"metadata": metadata},
        "update_mask": "metadata",
        "etag": found.memory.etag,
    }
    await session.call(message_of(UpdateMemoryRequest, value))
    return {
        "id": str(uuid5(NAMESPACE_OID, f"feedback:{found.memory.id}")),
        "feedback": feedback,
        "feedback_reason": reason,
    }


def _feedback_field(field: str) -> str:
    """Returns Mem0's name for a field of a feedback."""
    return "memory_id" if field == "id" else field


PING: Final = OneCall(GetProjectRequest, _read_ping, _write_ping)
GET_PROJECT: Final = OneCall(GetProjectRequest, _read_project, _write_project)
UPDATE_PROJECT: Final = OneCall(
    UpdateProjectRequest, _read_project_update, _write_project, _project_field
)
EVENT: Final = SeveralCalls(_event)
FEEDBACK: Final = SeveralCalls(_feedback, _feedback_field)

"""Projects between protobuf messages and the domain."""

from __future__ import annotations

from memoir.v1 import memory_pb2, project_service_pb2

from server.application.project_settings import UpdateProjectCommand
from server.domain.conversation import without_nul
from server.domain.inference import Category
from server.domain.project import Project, ProjectChanges, ProjectField
from server.transport.convert.values import to_timestamp


def project_message(project: Project) -> project_service_pb2.Project:
    """A project as clients see it."""
    return project_service_pb2.Project(
        id=project.id,
        org_id=project.org_id,
        custom_instructions=project.custom_instructions,
        custom_categories=[
            memory_pb2.CustomCategory(name=category.name, description=category.description)
            for category in project.custom_categories
        ],
        default_retention_days=project.default_retention_days,
        keeps_passages=project.keeps_passages,
        create_time=to_timestamp(project.create_time),
        update_time=to_timestamp(project.update_time),
        etag=project.etag,
    )


def update_project_command(
    request: project_service_pb2.UpdateProjectRequest, project_id: str
) -> UpdateProjectCommand:
    """UpdateProject."""
    given = request.project
    return UpdateProjectCommand(
        project_id=project_id,
        changes=ProjectChanges(
            fields=frozenset(map(ProjectField, request.update_mask.paths)),
            custom_instructions=without_nul(given.custom_instructions),
            custom_categories=tuple(
                Category(without_nul(category.name), without_nul(category.description))
                for category in given.custom_categories
            ),
            default_retention_days=given.default_retention_days,
            keeps_passages=given.keeps_passages,
        ),
        etag=request.etag if request.HasField("etag") else None,
    )

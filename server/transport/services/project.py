"""memoir.v1.ProjectService."""

from __future__ import annotations

from memoir.v1 import project_service_pb2

from server.application.project_settings import GetProject, UpdateProject
from server.transport.convert.projects import project_message, update_project_command
from server.transport.current_caller import current_caller


class ProjectService:
    """Reading and changing a project's settings. Methods are named as in the contract."""

    def __init__(self, get: GetProject, update: UpdateProject) -> None:
        self._get = get
        self._update = update

    async def GetProject(  # noqa: N802 - the contract's name
        self, _request: project_service_pb2.GetProjectRequest, _context: object
    ) -> project_service_pb2.GetProjectResponse:
        """See the contract."""
        project = await self._get(current_caller().project_id)
        return project_service_pb2.GetProjectResponse(project=project_message(project))

    async def UpdateProject(  # noqa: N802 - the contract's name
        self, request: project_service_pb2.UpdateProjectRequest, _context: object
    ) -> project_service_pb2.UpdateProjectResponse:
        """See the contract."""
        command = update_project_command(request, current_caller().project_id)
        project = await self._update(command)
        return project_service_pb2.UpdateProjectResponse(project=project_message(project))

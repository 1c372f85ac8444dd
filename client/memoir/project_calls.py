"""The calls of ProjectService, StatisticsService and AuditService. Each function returns one.

The results of statistics and of the audit log are messages of the contract.
"""

from __future__ import annotations

from collections.abc import Mapping

from memoir.call import Call, Page, make_call
from memoir.requests import build
from memoir.results import Project
from memoir.v1 import audit_service_pb2, project_service_pb2, statistics_service_pb2

_AUDIT = "/memoir.v1.AuditService/"
_PROJECT = "/memoir.v1.ProjectService/"
_STATISTICS = "/memoir.v1.StatisticsService/"


def project(options: Mapping[str, object]) -> Call[Project]:
    return make_call(
        _PROJECT + "GetProject",
        project_service_pb2.GetProjectRequest,
        project_service_pb2.GetProjectResponse,
        lambda response: Project.from_proto(response.project),
        options,
    )


def update_project(options: Mapping[str, object]) -> Call[Project]:
    identity = ("org_id", "project_id", "etag", "timeout")
    settings = {name: value for name, value in options.items() if name not in identity}
    return make_call(
        _PROJECT + "UpdateProject",
        project_service_pb2.UpdateProjectRequest,
        project_service_pb2.UpdateProjectResponse,
        lambda response: Project.from_proto(response.project),
        {
            **{name: options[name] for name in identity if name in options},
            "project": build(project_service_pb2.Project, settings),
            "update_mask": {"paths": list(settings)},
        },
    )


def statistics(options: Mapping[str, object]) -> Call[statistics_service_pb2.Statistics]:
    return make_call(
        _STATISTICS + "GetStatistics",
        statistics_service_pb2.GetStatisticsRequest,
        statistics_service_pb2.GetStatisticsResponse,
        lambda response: response.statistics,
        options,
    )


def watch_statistics(options: Mapping[str, object]) -> Call[statistics_service_pb2.Statistics]:
    return make_call(
        _STATISTICS + "WatchStatistics",
        statistics_service_pb2.WatchStatisticsRequest,
        statistics_service_pb2.WatchStatisticsResponse,
        lambda response: response.statistics,
        options,
    )


def audit_events(
    page_token: str, options: Mapping[str, object]
) -> Call[Page[audit_service_pb2.AuditEvent]]:
    return make_call(
        _AUDIT + "ListAuditEvents",
        audit_service_pb2.ListAuditEventsRequest,
        audit_service_pb2.ListAuditEventsResponse,
        lambda response: Page(list(response.events), response.next_page_token),
        {**options, "page_token": page_token},
    )

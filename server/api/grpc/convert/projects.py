"""Converts projects and their statistics to protobuf messages and back."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from memoir.v1 import memory_pb2, project_service_pb2
from memoir.v1 import statistics_service_pb2 as pb

from server.api.grpc.convert.values import to_timestamp
from server.memories.add.inference import Category
from server.memories.conversation import without_nul
from server.projects.manage_project import UpdateProjectCommand
from server.projects.project import ChangeCounts, GraphCounts, Project, ProjectChanges, ProjectField
from server.projects.statistics import ProjectStatistics
from server.telemetry.figures import Durations, Figures


def project_message(project: Project) -> project_service_pb2.Project:
    """Returns a project as clients see it."""
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
    """Converts an update of a project."""
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


DEFAULT_INTERVAL = timedelta(seconds=1)


def interval_seconds(request: pb.WatchStatisticsRequest) -> float:
    """Returns the seconds between two responses."""
    interval = request.interval.ToTimedelta() if request.HasField("interval") else DEFAULT_INTERVAL
    return interval.total_seconds()


def statistics_message(statistics: ProjectStatistics) -> pb.Statistics:
    """Returns the statistics as a protobuf message."""
    content, activity, windows = statistics.content, statistics.activity, statistics.windows
    graph = content.graph or GraphCounts()
    return pb.Statistics(
        time=to_timestamp(statistics.time),
        start_time=to_timestamp(statistics.start_time),
        store=pb.StoreStatistics(
            memories=content.store.memories,
            messages=content.store.messages,
            scopes=content.store.scopes,
            entities=graph.entities,
            relations=graph.relations,
        ),
        last_minute=_window(windows.last_minute, activity.last_minute),
        last_hour=_window(windows.last_hour, activity.last_hour),
        since_start=_window(windows.since_start, _own_changes(windows.since_start)),
        queue=pb.QueueStatistics(
            depth=activity.queue.queued,
            running=activity.queue.running,
            oldest_age=_duration(activity.queue.oldest_seconds),
            given_up=activity.queue.given_up,
        ),
        graph=pb.GraphStatistics(
            available=content.graph is not None,
            pending=activity.backlog.pending,
            lag=_duration(activity.backlog.oldest_seconds),
            given_up=activity.backlog.given_up,
        ),
        pool=pb.PoolStatistics(
            size=statistics.pool.size,
            idle=statistics.pool.idle,
            max_size=statistics.pool.max_size,
        ),
        quotas=[
            pb.QuotaStatistics(name=usage.name, limit=usage.limit, used=usage.used)
            for usage in statistics.quotas
        ],
    )


def _window(figures: Figures, changes: ChangeCounts) -> pb.WindowStatistics:
    return pb.WindowStatistics(
        methods=[
            pb.MethodStatistics(
                method=name, requests_by_status=method.codes, latency=_latency(method.durations)
            )
            for name, method in sorted(figures.methods.items())
        ],
        stages=[
            pb.StageStatistics(stage=name, latency=_latency(durations))
            for name, durations in sorted(figures.stages.items())
        ],
        memories_added=changes.added,
        memories_updated=changes.updated,
        memories_deleted=changes.deleted,
        memories_restored=changes.restored,
        models=[
            pb.ModelStatistics(
                model=name,
                calls=model.calls,
                failures=model.failures,
                input_tokens=model.read,
                output_tokens=model.written,
                latency=_latency(model.durations),
            )
            for name, model in sorted(figures.models.items())
        ],
        search_arms=[
            pb.SearchArmStatistics(arm=name, runs=arm.runs, skips=arm.skips)
            for name, arm in sorted(figures.arms.items())
        ],
        cache_hits=figures.cache_hits,
        cache_misses=figures.cache_misses,
        slowest_requests=[
            pb.SlowRequest(
                method=call.method,
                status=call.code,
                duration_ms=call.seconds * 1000,
                time=to_timestamp(call.time),
                correlation_id=call.correlation_id,
            )
            for call in sorted(figures.slowest, reverse=True)
        ],
    )


def _own_changes(figures: Figures) -> ChangeCounts:
    return ChangeCounts(figures.added, figures.updated, figures.deleted, figures.restored)


def _latency(durations: Durations) -> pb.LatencyStatistics:
    return pb.LatencyStatistics(
        count=durations.count,
        p50_ms=durations.quantile(0.50) * 1000,
        p95_ms=durations.quantile(0.95) * 1000,
        p99_ms=durations.quantile(0.99) * 1000,
    )


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message

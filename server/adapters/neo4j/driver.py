"""The connection to Neo4j."""

from __future__ import annotations

from neo4j import AsyncDriver, AsyncGraphDatabase, NotificationMinimumSeverity


def open_driver(
    uri: str,
    user: str,
    password: str,
    *,
    max_connections: int = 32,
    connection_timeout: float = 3.0,
    acquisition_timeout: float = 5.0,
) -> AsyncDriver:
    """A pool of connections. It connects when it is first used; who opens it closes it.

    Times are in seconds. `uri` is `bolt://host:port` for one server, `neo4j://...` for a cluster,
    `+s` appended to the scheme for TLS.

    Raises:
        neo4j.exceptions.ConfigurationError: the URI has another scheme.
    """
    return AsyncGraphDatabase.driver(
        uri,
        auth=(user, password),
        max_connection_pool_size=max_connections,
        connection_timeout=connection_timeout,
        connection_write_timeout=connection_timeout,
        connection_acquisition_timeout=acquisition_timeout,
        # Deadlocks pass within milliseconds; the driver would wait a second before the first retry.
        initial_retry_delay=0.05,
        # A connection that has idled may be dead without a sign, after a restart for example.
        liveness_check_timeout=30.0,
        # On an empty database every statement is answered with "unknown label" notices.
        notifications_min_severity=NotificationMinimumSeverity.OFF,
        telemetry_disabled=True,
        user_agent="memoir",
    )

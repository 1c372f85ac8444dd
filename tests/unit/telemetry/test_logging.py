"""The format of log lines, and what they leave out."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from server.telemetry.logging import LogFormat, configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


pytestmark = pytest.mark.usefixtures("logging_restored")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(format_: LogFormat = "json", level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(format_, level, stream)
    return stream


def test_each_line_is_one_json_object() -> None:
    stream = configured()
    with structlog.contextvars.bound_contextvars(correlation_id="c1"):
        structlog.get_logger("a.b").info("rpc.ended", method="S/M")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "rpc.ended",
        "method": "S/M",
        "level": "info",
        "logger": "a.b",
        "correlation_id": "c1",
    }


def test_libraries_log_in_the_same_form() -> None:
    stream = configured()
    with structlog.contextvars.bound_contextvars(correlation_id="c1"):
        logging.getLogger("grpc").warning("lost %s", "it")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("lost it", "grpc", "warning")
    assert line["correlation_id"] == "c1"


def test_warnings_are_logged() -> None:
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("json", "INFO", stream)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in lines(stream)[0]["event"]


def test_the_level_applies_to_all_loggers() -> None:
    stream = configured(level="warning")
    structlog.get_logger("a").info("x")
    logging.getLogger("b").info("x")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configured(level="loud")


@pytest.mark.parametrize(
    "key",
    ["authorization", "Authorization", "api_key", "x-goog-api-key", "password", "postgres_dsn"],
)
def test_secrets_are_hidden_at_any_depth(key: str) -> None:
    stream = configured()
    structlog.get_logger("a").info(
        "x", **{key: "hunter2"}, deep={"in": [{key: "hunter2"}]}, consistency_token="kept"
    )
    assert "hunter2" not in stream.getvalue()
    (line,) = lines(stream)
    assert line[key] == "[redacted]"
    assert line["consistency_token"] == "kept"


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_stack_is_shown_without_local_variables(format_: LogFormat) -> None:
    stream = configured(format_)
    try:
        local = "hun" + "ter2"
        raise ValueError(len(local))
    except ValueError as error:
        structlog.get_logger("a").error("failed", exc_info=error)
    assert "raise ValueError(len(local))" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("with_content", [True, False])
def test_messages_of_exceptions_are_written_only_on_request(
    format_: LogFormat, with_content: bool
) -> None:
    stream = io.StringIO()
    configure_logging(format_, "INFO", stream, with_content=with_content)
    try:
        raise ValueError("Alice is ill")
    except ValueError as error:
        structlog.get_logger("own").error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
    assert stream.getvalue().count("ValueError: Alice is ill") == (2 if with_content else 0)
    assert stream.getvalue().count("ValueError") >= 2


@pytest.mark.parametrize(("stream", "coloured"), [(Terminal(), True), (io.StringIO(), False)])
def test_colours_are_used_only_on_terminals(stream: io.StringIO, coloured: bool) -> None:
    configure_logging("console", "INFO", stream)
    structlog.get_logger("a").info("hello", n=1)
    assert "hello" in stream.getvalue()
    assert ("\x1b[" in stream.getvalue()) is coloured


def test_lines_inside_a_span_contain_its_ids() -> None:
    stream = configured()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s") as span:
        structlog.get_logger("a").info("x")
    (line,) = lines(stream)
    assert int(line["trace_id"], 16) == span.get_span_context().trace_id
    assert int(line["span_id"], 16) == span.get_span_context().span_id


def test_a_logger_without_a_name_has_the_name_of_its_module() -> None:
    stream = configured()
    structlog.get_logger().info("x")
    assert lines(stream)[0]["logger"] == __name__


def test_logging_can_be_configured_again() -> None:
    log = structlog.get_logger("a")
    first = configured()
    log.info("one")
    second = configured(level="warning")
    log.info("two")
    log.warning("three")
    logging.getLogger("b").warning("four")
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [line["event"] for line in lines(second)] == ["three", "four"]


def test_events_can_be_captured() -> None:
    log = structlog.get_logger("a")
    stream = configured()
    log.info("before")
    with structlog.testing.capture_logs() as captured:
        log.info("x", n=1)
    log.info("after")
    assert captured == [{"event": "x", "n": 1, "log_level": "info"}]
    assert [line["event"] for line in lines(stream)] == ["before", "after"]


def test_the_neo4j_driver_logs_only_errors() -> None:
    stream = configured()
    driver = logging.getLogger("neo4j.pool")
    driver.warning("retrying")
    driver.error("gave up")
    assert [line["event"] for line in lines(stream)] == ["gave up"]


def test_values_unknown_to_json_are_logged_as_text() -> None:
    stream = configured()
    structlog.get_logger("a").info("x", kind=set, deep={1: {("a", "b"): b"c"}}, missing=None)
    (line,) = lines(stream)
    assert line["kind"] == repr(set)
    assert line["deep"] == {"1": {"('a', 'b')": repr(b"c")}}
    assert line["missing"] is None


class Full(io.StringIO):
    def write(self, text: str, /) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("broken", [Full(), io.StringIO()], ids=["full", "closed"])
def test_a_line_that_cannot_be_written_raises_no_error(broken: io.StringIO) -> None:
    configure_logging("json", "INFO", broken)
    if not isinstance(broken, Full):
        broken.close()
    structlog.get_logger("a").info("x")

# syntax=docker/dockerfile:1

# The program of the health check, built from source at a pinned version.
FROM golang:1.26-bookworm AS probe
RUN CGO_ENABLED=0 go install github.com/grpc-ecosystem/grpc-health-probe@v0.4.61

# The locked dependencies, in their own virtual environment.
FROM python:3.11-slim-bookworm AS dependencies
WORKDIR /opt/memoir
RUN python -m venv /opt/memoir/venv
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/memoir/venv/bin/pip install --no-deps --require-hashes --requirement requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /opt/memoir memoir
WORKDIR /opt/memoir
COPY --from=probe /go/bin/grpc-health-probe /usr/local/bin/
COPY --from=dependencies /opt/memoir/venv venv
COPY pyproject.toml README.md ./
COPY server server
COPY generated generated
# Modules are compiled here, because the server's user cannot write to these folders.
RUN venv/bin/python -m compileall -q server generated
ENV PATH=/opt/memoir/venv/bin:$PATH \
    PYTHONPATH=/opt/memoir:/opt/memoir/generated \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MEMOIR_GRPC_HOST=0.0.0.0
USER memoir
EXPOSE 50051
# The server drains on SIGTERM, which is what `docker stop` sends.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["grpc-health-probe", "-addr=127.0.0.1:50051", "-service=memoir.v1.MemoryService"]
ENTRYPOINT ["python", "-m", "server"]
CMD ["serve"]

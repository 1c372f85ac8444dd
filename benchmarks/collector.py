"""A collector that discards spans, to measure the cost of tracing for the server.

python -m benchmarks.collector
"""

from __future__ import annotations

import grpc
import uvloop

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


async def main() -> None:
    """Receives spans until it is stopped."""
    server = grpc.aio.server()
    export: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_forget)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(_SERVICE, {"Export": export})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"serving on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


async def _forget(_request: bytes, _context: object) -> bytes:
    return b""


if __name__ == "__main__":
    uvloop.run(main())

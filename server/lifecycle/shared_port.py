"""One port for several processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shared_port(host: str, port: int) -> Iterator[int]:
    """Holds a port during the block, for processes that listen on it with SO_REUSEPORT.

    The kernel spreads new connections over those that listen; this process does not. Yields the
    port, which 0 leaves to be chosen.

    Raises:
        OSError: the address cannot be listened on, or somebody else listens on it.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        # Without SO_REUSEPORT this fails where another server listens, also one that would share.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, address, host, port)
        port = probe.getsockname()[1]
    with socket.socket(family, kind, protocol) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(held, (address[0], port, *address[2:]), host, port)
        yield port


def _bind(endpoint: socket.socket, address: tuple[object, ...], host: str, port: int) -> None:
    try:
        endpoint.bind(address)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}:{port}; set MEMOIR_GRPC_PORT to a free port"
        ) from error

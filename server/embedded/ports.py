"""A free loopback port that stays free while its server restarts."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the ephemeral range of Linux (32768) and macOS (49152). Inside that range a client that
# keeps dialling a server which is down may be given the server's port as its own source port: it
# then connects to itself, and the server cannot come back.
LOWEST_PORT = 17000
HIGHEST_PORT = 29999

ATTEMPTS = 200


def free_port(preferred: int | None = None) -> int:
    """Return a loopback TCP port that nobody listens on: `preferred` if it is free.

    Raises OSError when no free port was found.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    # Unpredictable order, so that instances started together rarely pick the same port.
    picker = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = picker.randint(LOWEST_PORT, HIGHEST_PORT)
        if is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} on {LOOPBACK}")


def is_free(port: int) -> bool:
    """Say whether a server could listen on the loopback `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that linger in TIME_WAIT are no obstacle, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True

"""Ports for servers that are told which one to take, or keep theirs when they come back."""

import random
import socket

_PLACE = range(10_000, 32_000)
"""Below the ports of outgoing connections: who connects meanwhile takes none of them, and who tries to reach a
server that is away does not get itself on the line."""


def free_port() -> int:
    """One that nobody has at this moment."""
    return free_ports(1)[0]


def free_ports(count: int, *, companion: int = 0) -> list[int]:
    """So many; the ports so far above each are free, too."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(_PLACE.start, _PLACE.stop - companion)  # noqa: S311
        if port not in found and all(map(_is_free, {port, port + companion})):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

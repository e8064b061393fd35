"""The sandbox's end of the way out: a loopback listener that the worker serves as an HTTP proxy."""

import os
import socket

from ao_runner.task import Task

_BACKLOG = 128


def open_door(task: Task) -> None:
    """Open the listener, hand it to the worker and point the usual variables at it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(_BACKLOG)
    url = "http://127.0.0.1:%d" % listener.getsockname()[1]
    task.send_with({"type": "listener", "name": "egress"}, listener.fileno())
    listener.close()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = os.environ[name.lower()] = url
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"

"""A run in steps whose effects are counted outside of AO: a witness hears of each before the step has ended."""

import os
import socket
import time
from typing import Any

from ao_runner import Retry, ask, sleep, span, step

EFFECT, COMMITTED, AFTER = "effect", "committed", "after"


def tell(task: dict[str, Any], what: str, path: str) -> str:
    """Tell the witness and wait for its word: `die` ends the process here and now."""
    with socket.create_connection(("127.0.0.1", task["port"])) as connection:
        connection.sendall(f"{task['number']} {os.environ['AO_ATTEMPT']} {what} {path}".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(10).decode()
    if answer == "die":
        os._exit(9)
    return answer


def act(task: dict[str, Any], path: str, value: int) -> int:
    tell(task, EFFECT, path)
    return value


def work(task: dict[str, Any]) -> dict[str, Any]:
    total = 0
    for number in range(task["steps"]):
        path = "act" if number == 0 else f"act#{number + 1}"
        total += step.run("act", act, task, path, number)
        tell(task, COMMITTED, path)
    if task["sleeps"]:
        sleep(1.5)
    if task["asks"]:
        total += ask("How much?", schema={"type": "integer"})
    if task["fails"] and step.run("failures", lambda: 0) == 0 and int(os.environ["AO_ATTEMPT"]) < 2:
        raise Retry("not yet", after=0.05)
    with span("end"):
        total += step.run("last", act, task, "end/last", 1000)
        tell(task, COMMITTED, "end/last")
    time.sleep(task["lingers"])
    return {"number": task["number"], "total": total}

"""A run in steps whose effects are counted outside of AO: a witness hears of each before the step has ended. A
run of a session remembers each step there, too: in the state, as a message, as a file."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ao_runner import Permanent, Retry, ask, session, sleep, span, step

EFFECT, COMMITTED = "effect", "committed"
LARGE = 100 << 10
"""Characters: a result that is kept as a blob, and does not come with the task of the next attempt."""


def tell(task: dict[str, Any], what: str, path: str) -> None:
    """Tell the witness and wait for its word: `die` ends the process here and now."""
    with socket.create_connection(("127.0.0.1", task["port"])) as connection:
        connection.sendall(f"{task['number']} {os.environ['AO_ATTEMPT']} {what} {path}\n".encode())
        if connection.recv(10) == b"die\n":
            os.kill(os.getpid(), signal.SIGKILL)
        connection.sendall(b"alive\n")


def act(task: dict[str, Any], path: str, value: int) -> int:
    if task["session"]:
        remember(f"{task['number']}:{path}", in_order=not path.startswith("both"))
    tell(task, EFFECT, path)
    return value


def remember(name: str, in_order: bool) -> None:
    session.add("tool", name)
    session.state[name] = int(os.environ["AO_ATTEMPT"])
    if in_order:  # of steps at once, none knows what the others count
        session.state["count"] = session.state.get("count", 0) + 1
    (session.workspace / name.replace("/", "~")).write_text(os.environ["AO_ATTEMPT"])


def done(task: dict[str, Any], path: str, value: int, **how: Any) -> int:
    """A step and its commit."""
    name, _, key = path.rpartition("/")[2].rstrip("]").partition("[")
    got: int = step.run(name, act, task, path, value, key=key or None, **how)
    tell(task, COMMITTED, path)
    return got


def work(task: dict[str, Any]) -> dict[str, Any]:
    total = int(os.environ.get("BONUS", "0"))
    total += sum(done(task, f"act[{number}]", number) for number in range(task["steps"]))
    if task["number"] % 3 == 0 and len(step.run("large", lambda: "x" * LARGE)) != LARGE:
        raise Permanent("a large result has changed")
    if task["parallel"]:
        with ThreadPoolExecutor(task["parallel"]) as pool:
            total += sum(pool.map(lambda n: done(task, f"both[{n}]", n), range(task["parallel"])))
    if task["sleeps"]:
        sleep(1.5)
    if task["asks"]:
        total += ask("How much?", schema={"type": "integer"})
    if task["once"]:
        total += done(task, "once", 100, once=True)
    if task["fails"] and step.run("failures", lambda: 0) == 0 and int(os.environ["AO_ATTEMPT"]) < 2:
        raise Retry("not yet", after=0.05)
    with span("end"):
        total += done(task, "end/last", 1000)
    time.sleep(task["lingers"])
    if task["hopeless"]:
        raise Permanent("it is no use")
    return {"number": task["number"], "total": total}

"""What a command that waits for a run tells meanwhile: why nothing happens."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ao.cli import output
from ao.client import calls
from ao.domain.errors import AoError

if TYPE_CHECKING:
    from ao.client.api import Client

FIRST_SECONDS = 2.0
NEXT_SECONDS = 10.0


@contextmanager
def told_why(client: "Client", run_id: str, *, as_json: bool, follows: bool) -> Iterator[None]:
    """While the block waits. Who follows the run's events hears of its pauses and retries from them."""
    over = threading.Event()
    if not as_json:
        threading.Thread(target=_tell, args=(client, run_id, follows, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _tell(client: "Client", run_id: str, follows: bool, over: threading.Event) -> None:
    told, pause = "", FIRST_SECONDS
    while not over.wait(pause):
        try:
            run = client.send_json(calls.get_run(run_id))
        except AoError:
            return  # the command itself says so
        why = _why(run, follows)
        if why not in ("", told) and not over.is_set():
            output.say(output.style(f"  not yet: {why}", "yellow"))
            told = why
        pause = NEXT_SECONDS


def _why(run: dict[str, Any], follows: bool) -> str:
    if follows and run["attempt"]:
        return ""
    if run["state"] == "paused":
        return f"it asks something (ao questions; ao answer {run['id']})"
    return run["why_pending"] or ""

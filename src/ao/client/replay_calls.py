"""Forks, replays and dead letters as `Call`s; see `ao.client.calls`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from ao.client.calls import listed, one, page
from ao.client.wire import Call

if TYPE_CHECKING:
    from ao.wire.replays import DeadLetterGroupView, DeadLetterView, PurgedView, RemadeView, ReplayedView
    from ao.wire.schemas import Page

_LETTERS = "/v1/dead-letters"


def fork_run(run_id: str, step: str, version: int | None) -> "Call[RemadeView]":
    """Not repeatable: each makes a run."""
    body = {"step": step, "version": version}
    return Call("POST", _run(run_id, "/fork"), one("replays.RemadeView"), body=body, repeatable=False)


def replay_run(run_id: str, begin: str, version: int | None) -> "Call[RemadeView]":
    """Not repeatable: each makes a run. `begin` is `checkpoint` or `start`."""
    body = {"begin": begin, "version": version}
    return Call("POST", _run(run_id, "/replay"), one("replays.RemadeView"), body=body, repeatable=False)


def list_letters(
    *,
    agent: str | None = None,
    fingerprint: str | None = None,
    all: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> "Call[Page[DeadLetterView]]":
    query = {"agent": agent, "fingerprint": fingerprint, "all": all or None, "limit": limit, "cursor": cursor}
    return Call("GET", _LETTERS, page("replays.DeadLetterView"), query)


def letter_groups(
    *, agent: str | None = None, all: bool = False, limit: int = 50
) -> "Call[list[DeadLetterGroupView]]":
    query = {"agent": agent, "all": all or None, "limit": limit}
    return Call("GET", f"{_LETTERS}/groups", listed("replays.DeadLetterGroupView"), query)


def replay_letters(
    agent: str,
    *,
    runs: Sequence[str] | None = None,
    fingerprint: str | None = None,
    begin: str = "checkpoint",
    version: int | None = None,
    limit: int = 100,
) -> "Call[list[ReplayedView]]":
    body = {
        "runs": None if runs is None else list(runs),
        "fingerprint": fingerprint,
        "begin": begin,
        "version": version,
        "limit": limit,
    }
    answers = listed("replays.ReplayedView")
    path = f"/v1/agents/{quote(agent, safe='')}/dead-letters/replay"
    return Call("POST", path, answers, body=body, repeatable=False, patience_seconds=60.0)


def purge_letters(
    older_than_seconds: float, *, agent: str | None = None, fingerprint: str | None = None
) -> "Call[PurgedView]":
    query = {"older_than": older_than_seconds, "agent": agent, "fingerprint": fingerprint}
    return Call("DELETE", _LETTERS, one("replays.PurgedView"), query)


def _run(run_id: str, rest: str) -> str:
    return f"/v1/runs/{quote(run_id, safe='')}{rest}"

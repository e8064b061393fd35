"""Failures: runs that failed for good, by what went wrong; replayed many at a time, and forgotten by age."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.replay import targets_of
from ao.dashboard.parameters import from_start_in, run_id_in, version_or_none_in
from ao.domain.errors import InvalidInput, NotFound, Problem
from ao.domain.quantities import parse_duration
from ao.domain.run import RunState
from ao.store.dead_letter_records import DeadLetterFilter, DeadLetterGroup

GROUPS = 100
PAGE = 50
AT_ONCE = 100
"""Runs that are replayed together unless somebody chooses."""
MOST_AT_ONCE = 1000
COMPARABLE = 200
AGES: Mapping[str, str] = {"1d": "a day", "7d": "a week", "30d": "30 days", "90d": "90 days"}
FAILURES = Crumb("Failures", "/failures")


@dataclass(frozen=True, slots=True)
class Choice:
    """How a group is to be replayed."""

    scratch: bool
    version: int | None
    count: int

    def command(self, agent: str, fingerprint: str) -> str:
        words = ["ao dlq replay --agent", shlex.quote(agent), "--fingerprint", shlex.quote(fingerprint)]
        words += ["--from-start"] if self.scratch else []
        words += [f"--on v{self.version}"] if self.version is not None else []
        words += [f"-n {self.count}"] if self.count != AT_ONCE else []
        return " ".join(words)


class FailurePages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._replays = frame.services.replays
        self._store = frame.services.store

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        group = "/agents/{agent}/failures/{fingerprint}"
        return [
            page("/failures", self.failures, "list_dead_letter_groups"),
            action("/failures/purge", self.purge, "purge_dead_letters"),
            page(group, self.group, "get_agent"),
            page(f"{group}/replay", self.confirm, "replay_dead_letters"),
            action(f"{group}/replay", self.replay, "replay_dead_letters"),
        ]

    async def failures(self, visit: Visit) -> Response:
        agent, all_ = visit.query.get("agent", ""), visit.query.get("all", "") == "true"
        where = DeadLetterFilter([agent] if agent else visit.scope, open_only=not all_)
        names = [each.name for each in await self._store.agents.list()]
        return self._frame.render(
            visit,
            "failures.html",
            title="Failures",
            section="failures",
            groups=await self._replays.groups(where, GROUPS),
            names=[name for name in names if not visit.scope or name in visit.scope],
            agent=agent,
            all=all_,
            ages=AGES,
            purged=visit.query.get("purged", ""),
            most=GROUPS,
        )

    async def group(self, visit: Visit) -> Response:
        group, where = await self._group(visit)
        before = run_id_in(visit.query, "before")
        replayed = visit.query.get("show", "") == "replayed"
        letters = await self._replays.letters(
            DeadLetterFilter(where.agents, where.fingerprint, before=before, open_only=not replayed), PAGE + 1
        )
        progress = await self._replays.progress(where)
        path = f"/agents/{group.agent}/failures/{group.fingerprint}"
        more = "&show=replayed" if replayed else ""
        return self._frame.render(
            visit,
            "failure.html",
            title=group.title or "Failed without a message",
            section="failures",
            crumbs=(FAILURES, Crumb(group.agent, f"/failures?agent={group.agent}")),
            group=group,
            letters=letters[:PAGE],
            older=f"{path}?before={letters[PAGE - 1].run_id}{more}" if len(letters) > PAGE else None,
            replayed=replayed,
            warned=visit.query.get("warned") == "true",
            progress=[(state.value, progress[state]) for state in RunState if state in progress],
            going=any(not state.terminal for state in progress),
            path=path,
            command=f"ao dlq ls --agent {shlex.quote(group.agent)} --fingerprint {group.fingerprint}",
        )

    async def confirm(self, visit: Visit) -> Response:
        """What a replay would do again, before anything happens."""
        group, where = await self._group(visit)
        choice = _choice(visit.query)
        open_ones = DeadLetterFilter(where.agents, where.fingerprint, oldest_first=True)
        recorded = await self._replays.recorded(open_ones, min(choice.count, MOST_AT_ONCE))
        rows = await self._store.insights.deployments([group.agent], None, COMPARABLE)
        return self._frame.render(
            visit,
            "failure_replay.html",
            title=f"Replay runs of {group.agent}?",
            section="failures",
            crumbs=(FAILURES, Crumb(group.title[:60], f"/agents/{group.agent}/failures/{group.fingerprint}")),
            group=group,
            choice=choice,
            count=min(choice.count, group.open),
            recorded=recorded,
            targets=targets_of(rows),
            most=MOST_AT_ONCE,
            command=choice.command(group.agent, group.fingerprint),
        )

    async def replay(self, visit: Visit) -> Response:
        agent, fingerprint = visit.path["agent"], visit.path["fingerprint"]
        choice = _choice(visit.form)
        open_ones = DeadLetterFilter([agent], fingerprint, oldest_first=True)
        letters = await self._replays.letters(open_ones, choice.count)
        done = await self._replays.replay_all(
            [letter.run_id for letter in letters],
            scratch=choice.scratch,
            version=choice.version,
            actor=visit.actor,
        )
        path = f"/agents/{agent}/failures/{fingerprint}"
        if all(each.error is None for each in done):
            warned = "&warned=true" if any(each.warnings for each in done) else ""
            return redirect(f"{path}?show=replayed{warned}")
        return self._frame.render(
            visit,
            "failure_refused.html",
            title="Not all could be replayed",
            section="failures",
            crumbs=(FAILURES, Crumb(agent, path)),
            status=409,
            done=done,
            path=path,
        )

    async def purge(self, visit: Visit) -> Response:
        """Forget what is older; of one agent, or of all."""
        agent, text = visit.form.get("agent", ""), visit.form.get("older_than", "")
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            problem = Problem("older_than", str(error))
            raise InvalidInput(f"older_than: {error}", hint="such as 30d", problems=[problem]) from error
        where = DeadLetterFilter([agent] if agent else [], open_only=False)
        purged = await self._replays.purge(where, seconds, visit.actor)
        return redirect(f"/failures?purged={purged}" + (f"&agent={agent}" if agent else ""))

    async def _group(self, visit: Visit) -> tuple[DeadLetterGroup, DeadLetterFilter]:
        where = DeadLetterFilter([visit.path["agent"]], visit.path["fingerprint"], open_only=False)
        groups: Sequence[DeadLetterGroup] = await self._replays.groups(where, 1)
        if not groups:
            raise NotFound("there are no such dead letters", hint="`ao dlq ls` lists them")
        return groups[0], where


def _choice(fields: Mapping[str, str]) -> Choice:
    """Raises InvalidInput."""
    text = fields.get("count", "").strip() or str(AT_ONCE)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        problem = Problem("count", f"is a number of runs from 1 to {MOST_AT_ONCE:,}")
        raise InvalidInput(f"count {problem.message}", hint="go back and give one", problems=[problem])
    count = max(1, min(int(text), MOST_AT_ONCE))
    return Choice(from_start_in(fields), version_or_none_in(fields, "version"), count)

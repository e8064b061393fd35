"""Forks, replays and dead letters."""

from collections.abc import Sequence

from pydantic import Field

from ao.clock import to_datetime
from ao.control.replays import Made
from ao.domain.errors import Forbidden
from ao.ids import RunId
from ao.server.operations.pages import cut, id_before
from ao.server.operations.runs import JUST_ACCEPTED
from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter, Cursor, Limit
from ao.server.services import Services
from ao.server.views import run_view
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup
from ao.wire.replays import (
    DeadLetterGroupView,
    DeadLetterView,
    ForkRequest,
    PurgedView,
    RemadeView,
    ReplayedView,
    ReplayMany,
    ReplayRequest,
)
from ao.wire.schemas import Page, Request


class LettersQuery(Request):
    agent: AgentFilter = None
    fingerprint: str | None = Field(None, max_length=64)
    all: bool = Field(False, description="Also those that were replayed.")
    limit: Limit = 50
    cursor: Cursor = None


class GroupsQuery(Request):
    agent: AgentFilter = None
    all: bool = Field(False, description="Also those that were replayed.")
    limit: Limit = 50


class PurgeQuery(Request):
    agent: AgentFilter = None
    fingerprint: str | None = Field(None, max_length=64)
    older_than: float = Field(ge=0, le=10**10, description="Seconds since the failure.")


class ReplayOperations:
    def __init__(self, services: Services) -> None:
        self._replays = services.replays
        self._runs = services.runs

    async def fork(self, caller: Caller, run_id: str, body: ForkRequest) -> RemadeView:
        return await self._view(await self._replays.fork(RunId(run_id), body.step, body.version, caller.actor))

    async def replay(self, caller: Caller, run_id: str, body: ReplayRequest) -> RemadeView:
        scratch = body.begin == "start"
        made = await self._replays.replay(
            RunId(run_id), scratch=scratch, version=body.version, actor=caller.actor
        )
        return await self._view(made)

    async def letters(self, caller: Caller, query: LettersQuery) -> Page[DeadLetterView]:
        before = id_before(query.cursor)
        where = DeadLetterFilter(
            _agents(caller, query.agent),
            query.fingerprint,
            not query.all,
            before=RunId(before) if before else None,
        )
        letters = await self._replays.letters(where, query.limit + 1)
        found, more = cut(letters, query.limit, lambda letter: letter.run_id)
        return Page[DeadLetterView].model_construct(items=[letter_view(each) for each in found], next=more)

    async def groups(self, caller: Caller, query: GroupsQuery) -> Sequence[DeadLetterGroupView]:
        where = DeadLetterFilter(_agents(caller, query.agent), open_only=not query.all)
        return [group_view(group) for group in await self._replays.groups(where, query.limit)]

    async def replay_many(self, caller: Caller, agent: str, body: ReplayMany) -> Sequence[ReplayedView]:
        if body.runs is not None:
            chosen = [RunId(run_id) for run_id in body.runs]
            for run_id in chosen:
                if await self._runs.agent_of(run_id) != agent:
                    raise Forbidden(f"run {run_id} is not one of {agent}")
        else:
            where = DeadLetterFilter([agent], body.fingerprint, oldest_first=True)
            chosen = [letter.run_id for letter in await self._replays.letters(where, body.limit)]
        done = await self._replays.replay_all(
            chosen, scratch=body.begin == "start", version=body.version, actor=caller.actor
        )
        return [
            ReplayedView(
                run_id=each.run_id,
                replay=each.replay,
                error=each.error.message if each.error else None,
                warnings=list(each.warnings),
            )
            for each in done
        ]

    async def purge(self, caller: Caller, query: PurgeQuery) -> PurgedView:
        where = DeadLetterFilter([query.agent] if query.agent else [], query.fingerprint, open_only=False)
        purged = await self._replays.purge(where, query.older_than, caller.actor)
        return PurgedView(purged=purged)

    async def _view(self, made: Made) -> RemadeView:
        view = run_view(made.run, await self._runs.payload(made.run.input), None, JUST_ACCEPTED)
        return RemadeView.model_construct(**dict(view), warnings=list(made.warnings))


def _agents(caller: Caller, agent: str | None) -> list[str]:
    return [agent] if agent else list(caller.scope)


def letter_view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView.model_construct(
        run_id=letter.run_id,
        agent=letter.agent,
        version=letter.version,
        fingerprint=letter.fingerprint,
        title=letter.title,
        step=letter.step,
        reason=letter.reason,
        at=to_datetime(letter.at_us),
        replayed_by=letter.replayed_by,
    )


def group_view(group: DeadLetterGroup) -> DeadLetterGroupView:
    return DeadLetterGroupView.model_construct(
        fingerprint=group.fingerprint,
        agent=group.agent,
        title=group.title,
        step=group.step,
        count=group.count,
        open=group.open,
        first_version=group.first_version,
        last_version=group.last_version,
        first_at=to_datetime(group.first_us),
        last_at=to_datetime(group.last_us),
        newest=group.newest,
    )

"""Forks, replays and dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from ao.clock import to_datetime
from ao.domain.errors import Forbidden
from ao.ids import RunId
from ao.server.replies import bad_cursor, cursor, read_cursor, reply, reply_list
from ao.server.roles import scope_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentFilter, AgentName, Cursor, Limit, RunIdText, actor
from ao.server.services import Services
from ao.server.views import run_view
from ao.store.dead_letter_records import DeadLetter, DeadLetterFilter, DeadLetterGroup
from ao.store.records import Run
from ao.wire.replays import (
    DeadLetterGroupView,
    DeadLetterView,
    ForkRequest,
    PurgedView,
    ReplayedView,
    ReplayMany,
    ReplayRequest,
)
from ao.wire.schemas import Page, RunView
from ao.wire.schemas import Request as Strict

_ID_LENGTH = 36
_PURGED_AT_ONCE = 10_000


class LettersQuery(Strict):
    agent: AgentFilter = None
    fingerprint: str | None = Field(None, max_length=64)
    all: bool = Field(False, description="Also those that were replayed.")
    limit: Limit = 50
    cursor: Cursor = None


class GroupsQuery(Strict):
    agent: AgentFilter = None
    all: bool = Field(False, description="Also those that were replayed.")
    limit: Limit = 50


class PurgeQuery(Strict):
    agent: AgentFilter = None
    fingerprint: str | None = Field(None, max_length=64)
    older_than: float = Field(ge=0, le=10**10, description="Seconds since the failure.")


class ReplayRoutes:
    def __init__(self, services: Services) -> None:
        self._replays = services.replays
        self._runs = services.runs

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["dead letters"], route_class=Route)
        add = router.add_api_route
        add("/runs/{run_id}/fork", self.fork_run, methods=["POST"], status_code=201, response_model=RunView)
        add("/runs/{run_id}/replay", self.replay_run, methods=["POST"], status_code=201, response_model=RunView)
        letters = Page[DeadLetterView]
        add("/dead-letters", self.list_dead_letters, methods=["GET"], response_model=letters)
        groups = list[DeadLetterGroupView]
        add("/dead-letters/groups", self.list_dead_letter_groups, methods=["GET"], response_model=groups)
        replayed = list[ReplayedView]
        replay = "/agents/{agent}/dead-letters/replay"
        add(replay, self.replay_dead_letters, methods=["POST"], response_model=replayed)
        add("/dead-letters", self.purge_dead_letters, methods=["DELETE"], response_model=PurgedView)
        return router

    async def fork_run(self, request: Request, run_id: RunIdText, body: ForkRequest) -> Response:
        """A new run that has the results of what the old one began before a step, and executes the rest."""
        run = await self._replays.fork(RunId(run_id), body.step, body.version, actor(request))
        return await self._made(run)

    async def replay_run(self, request: Request, run_id: RunIdText, body: ReplayRequest) -> Response:
        """A new run of one that has ended, of the same lineage."""
        scratch = body.begin == "start"
        run = await self._replays.replay(
            RunId(run_id), scratch=scratch, version=body.version, actor=actor(request)
        )
        return await self._made(run)

    async def list_dead_letters(self, request: Request, query: Annotated[LettersQuery, Query()]) -> Response:
        """Runs that failed for good and were not replayed, newest first."""
        before = read_cursor(query.cursor)
        if before is not None and len(before) != _ID_LENGTH:
            raise bad_cursor()
        where = DeadLetterFilter(
            _agents(request, query.agent), query.fingerprint, not query.all, RunId(before) if before else None
        )
        found = await self._replays.letters(where, query.limit + 1)
        more = cursor(found[query.limit - 1].run_id) if len(found) > query.limit else None
        items = [letter_view(letter) for letter in found[: query.limit]]
        return reply(Page[DeadLetterView].model_construct(items=items, next=more))

    async def list_dead_letter_groups(
        self, request: Request, query: Annotated[GroupsQuery, Query()]
    ) -> Response:
        """Dead letters that failed alike, by fingerprint; the latest failure first."""
        where = DeadLetterFilter(_agents(request, query.agent), open_only=not query.all)
        return reply_list([group_view(group) for group in await self._replays.groups(where, query.limit)])

    async def replay_dead_letters(self, request: Request, agent: AgentName, body: ReplayMany) -> Response:
        """Replay many dead letters of an agent; each answer names the new run, or why there is none."""
        if body.runs is not None:
            chosen = [RunId(run_id) for run_id in body.runs]
            for run_id in chosen:
                if await self._runs.agent_of(run_id) != agent:
                    raise Forbidden(f"run {run_id} is not one of {agent}")
        else:
            where = DeadLetterFilter([agent], body.fingerprint)
            chosen = [letter.run_id for letter in await self._replays.letters(where, body.limit)]
        done = await self._replays.replay_all(
            chosen, scratch=body.begin == "start", version=body.version, actor=actor(request)
        )
        views = [
            ReplayedView(
                run_id=each.run_id, replay=each.replay, error=each.error.message if each.error else None
            )
            for each in done
        ]
        return reply_list(views)

    async def purge_dead_letters(self, request: Request, query: Annotated[PurgeQuery, Query()]) -> Response:
        """Forget old dead letters and what their runs have recorded of steps; the runs themselves stay."""
        where = DeadLetterFilter([query.agent] if query.agent else [], query.fingerprint, open_only=False)
        purged = await self._replays.purge(where, query.older_than, actor(request), _PURGED_AT_ONCE)
        return reply(PurgedView(purged=purged))

    async def _made(self, run: Run) -> Response:
        view = run_view(run, await self._runs.payload(run.input), None, "it was accepted just now")
        return reply(view, 201, {"location": f"/v1/runs/{run.id}"})


def _agents(request: Request, agent: str | None) -> list[str]:
    return [agent] if agent else list(scope_of(request))


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
        count=group.count,
        first_at=to_datetime(group.first_us),
        last_at=to_datetime(group.last_us),
        newest=group.newest,
    )

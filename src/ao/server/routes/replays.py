"""Forks, replays and dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ao.server.operations.replays import GroupsQuery, LettersQuery, PurgeQuery, ReplayOperations
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import AgentName, RunIdText
from ao.server.services import Services
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
from ao.wire.schemas import Page


class ReplayRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = ReplayOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["dead letters"], route_class=Route)
        add = router.add_api_route
        add("/runs/{run_id}/fork", self.fork_run, methods=["POST"], status_code=201, response_model=RemadeView)
        add(
            "/runs/{run_id}/replay",
            self.replay_run,
            methods=["POST"],
            status_code=201,
            response_model=RemadeView,
        )
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
        return _made(await self._operations.fork(caller_of(request), run_id, body))

    async def replay_run(self, request: Request, run_id: RunIdText, body: ReplayRequest) -> Response:
        """A new run of one that has ended, of the same lineage."""
        return _made(await self._operations.replay(caller_of(request), run_id, body))

    async def list_dead_letters(self, request: Request, query: Annotated[LettersQuery, Query()]) -> Response:
        """Runs that failed for good and were not replayed, newest first."""
        return reply(await self._operations.letters(caller_of(request), query))

    async def list_dead_letter_groups(
        self, request: Request, query: Annotated[GroupsQuery, Query()]
    ) -> Response:
        """Dead letters that failed alike, by fingerprint; the latest failure first."""
        return reply_list(await self._operations.groups(caller_of(request), query))

    async def replay_dead_letters(self, request: Request, agent: AgentName, body: ReplayMany) -> Response:
        """Replay many dead letters of an agent; each answer names the new run, or why there is none."""
        return reply_list(await self._operations.replay_many(caller_of(request), agent, body))

    async def purge_dead_letters(self, request: Request, query: Annotated[PurgeQuery, Query()]) -> Response:
        """Forget old dead letters and what their runs have recorded of steps; the runs themselves stay."""
        return reply(await self._operations.purge(caller_of(request), query))


def _made(view: RemadeView) -> Response:
    return reply(view, 201, {"location": f"/v1/runs/{view.id}"})

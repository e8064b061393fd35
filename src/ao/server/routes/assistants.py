"""Assistants: named, versioned configurations that runs execute."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ao.domain.assistant import ASSISTANT_NAME
from ao.server.operations.agents import DiffQuery
from ao.server.operations.assistants import AssistantOperations, AssistantsQuery, DeleteQuery
from ao.server.replies import reply
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.parameters import PageQuery
from ao.server.services import Services
from ao.wire.assistants import (
    AssistantCreate,
    AssistantDiffView,
    AssistantMoveView,
    AssistantUpdate,
    AssistantVersionView,
    AssistantView,
    SetLatest,
)
from ao.wire.schemas import MAX_VERSION, Page

AssistantName = Annotated[
    str, Path(pattern=ASSISTANT_NAME, description="The assistant's name.", examples=["brief"])
]
Number = Annotated[int, Path(ge=1, le=MAX_VERSION, description="The assistant's version.", examples=[2])]


class AssistantRoutes:
    def __init__(self, services: Services) -> None:
        self._operations = AssistantOperations(services)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/assistants", tags=["assistants"], route_class=Route)
        add = router.add_api_route
        view, versions, moves = AssistantView, Page[AssistantVersionView], Page[AssistantMoveView]
        add("", self.create_assistant, methods=["POST"], status_code=201, response_model=view)
        add("", self.list_assistants, methods=["GET"], response_model=Page[AssistantView])
        add("/{assistant}", self.get_assistant, methods=["GET"], response_model=view)
        add("/{assistant}", self.update_assistant, methods=["PATCH"], response_model=view)
        add("/{assistant}", self.delete_assistant, methods=["DELETE"], response_model=view)
        add("/{assistant}/latest", self.set_latest_assistant, methods=["POST"], response_model=view)
        add("/{assistant}/versions", self.list_assistant_versions, methods=["GET"], response_model=versions)
        one = AssistantVersionView
        add("/{assistant}/versions/{version}", self.get_assistant_version, methods=["GET"], response_model=one)
        add("/{assistant}/history", self.list_assistant_history, methods=["GET"], response_model=moves)
        add("/{assistant}/diff", self.get_assistant_diff, methods=["GET"], response_model=AssistantDiffView)
        return router

    async def create_assistant(self, request: Request, body: AssistantCreate) -> Response:
        """Make an assistant, or the next version of an archived one. It has to fit the release."""
        made = await self._operations.create(caller_of(request), body)
        return reply(made, 201, {"location": f"/v1/assistants/{made.name}"})

    async def list_assistants(self, request: Request, query: Annotated[AssistantsQuery, Query()]) -> Response:
        """Assistants by name; every agent has one of its own name."""
        return reply(await self._operations.list(caller_of(request), query))

    async def get_assistant(self, assistant: AssistantName) -> Response:
        """One assistant, with the configuration of its latest version."""
        return reply(await self._operations.get(assistant))

    async def update_assistant(
        self, request: Request, assistant: AssistantName, body: AssistantUpdate
    ) -> Response:
        """The latest version with changes becomes the next version, and the latest. No change makes none."""
        return reply(await self._operations.update(caller_of(request), assistant, body))

    async def delete_assistant(
        self, request: Request, assistant: AssistantName, query: Annotated[DeleteQuery, Query()]
    ) -> Response:
        """Archive an assistant: nothing new runs on it. What runs goes on; versions, history and name stay."""
        return reply(await self._operations.delete(caller_of(request), assistant, query))

    async def set_latest_assistant(
        self, request: Request, assistant: AssistantName, body: SetLatest
    ) -> Response:
        """Let the name mean a version that is there already. Runs that were accepted keep theirs."""
        return reply(await self._operations.set_latest(caller_of(request), assistant, body))

    async def list_assistant_versions(
        self, assistant: AssistantName, query: Annotated[PageQuery, Query()]
    ) -> Response:
        """Its versions, newest first."""
        return reply(await self._operations.versions(assistant, query))

    async def get_assistant_version(self, assistant: AssistantName, version: Number) -> Response:
        """One version: its configuration, who made it, when and why."""
        return reply(await self._operations.version(assistant, version))

    async def list_assistant_history(
        self, assistant: AssistantName, query: Annotated[PageQuery, Query()]
    ) -> Response:
        """What the name has meant, since when, because of whom and why; newest first."""
        return reply(await self._operations.history(assistant, query))

    async def get_assistant_diff(
        self, assistant: AssistantName, query: Annotated[DiffQuery, Query()]
    ) -> Response:
        """What differs between two versions, field by field; text line by line."""
        return reply(await self._operations.diff(assistant, query.before, query.after))

"""Assistants: named, versioned configurations that runs execute."""

from pydantic import Field

from ao.server.assistant_views import assistant_view, diff_view, move_view, version_view
from ao.server.operations.pages import cut, version_before
from ao.server.replies import read_cursor
from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter, Cursor, Limit, PageQuery
from ao.server.services import Services
from ao.store.assistants import AssistantFilter
from ao.wire.assistants import (
    AssistantCreate,
    AssistantDiffView,
    AssistantMoveView,
    AssistantUpdate,
    AssistantVersionView,
    AssistantView,
    SetLatest,
)
from ao.wire.schemas import Page, Request, Text


class AssistantsQuery(Request):
    agent: AgentFilter = None
    archived: bool = Field(False, description="Also archived ones.")
    limit: Limit = 50
    cursor: Cursor = None


class DeleteQuery(Request):
    message: Text = Field("", max_length=1000, description="Why; shown in the history.")


class AssistantOperations:
    def __init__(self, services: Services) -> None:
        self._assistants = services.assistants

    async def create(self, caller: Caller, body: AssistantCreate) -> AssistantView:
        caller.require(body.agent)
        made = await self._assistants.create(body.name, body.agent, body.config(), body.message, caller.actor)
        return assistant_view(made)

    async def list(self, caller: Caller, query: AssistantsQuery) -> Page[AssistantView]:
        agents = [query.agent] if query.agent else caller.scope
        where = AssistantFilter(agents, query.archived, read_cursor(query.cursor))
        assistants = await self._assistants.list(where, query.limit + 1)
        found, more = cut(assistants, query.limit, lambda each: each.name)
        return Page[AssistantView].model_construct(items=[assistant_view(each) for each in found], next=more)

    async def get(self, assistant: str) -> AssistantView:
        return assistant_view(await self._assistants.get(assistant))

    async def update(self, caller: Caller, assistant: str, body: AssistantUpdate) -> AssistantView:
        updated = await self._assistants.update(
            assistant, body.changes(), body.base, body.message, caller.actor
        )
        return assistant_view(updated.assistant)

    async def delete(self, caller: Caller, assistant: str, query: DeleteQuery) -> AssistantView:
        return assistant_view(await self._assistants.archive(assistant, query.message, caller.actor))

    async def set_latest(self, caller: Caller, assistant: str, body: SetLatest) -> AssistantView:
        return assistant_view(
            await self._assistants.set_latest(assistant, body.version, body.message, caller.actor)
        )

    async def versions(self, assistant: str, query: PageQuery) -> Page[AssistantVersionView]:
        before = version_before(query.cursor)
        versions = await self._assistants.versions(assistant, before, query.limit + 1)
        found, more = cut(versions, query.limit, lambda each: each.version)
        items = [version_view(each) for each in found]
        return Page[AssistantVersionView].model_construct(items=items, next=more)

    async def version(self, assistant: str, version: int) -> AssistantVersionView:
        return version_view(await self._assistants.version(assistant, version))

    async def history(self, assistant: str, query: PageQuery) -> Page[AssistantMoveView]:
        before = version_before(query.cursor)
        moves = await self._assistants.history(assistant, before, query.limit + 1)
        found, more = cut(moves, query.limit, lambda each: each.seq)
        return Page[AssistantMoveView].model_construct(items=[move_view(each) for each in found], next=more)

    async def diff(self, assistant: str, before: int, after: int) -> AssistantDiffView:
        found = await self._assistants.diff(assistant, before, after)
        return diff_view(assistant, before, after, found)

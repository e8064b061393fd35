"""Assistants: what each name means now, what it has meant, and which version it means from now on."""

import json

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.navigation import Crumb
from ao.dashboard.parameters import version_in
from ao.domain.errors import NotFound
from ao.store.assistants import Assistant, AssistantFilter

PAGE = 50
VERSIONS = 50
MAX_MESSAGE = 1000
ASSISTANTS = Crumb("Assistants", "/assistants")


class AssistantPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._assistants = frame.services.assistants
        self._store = frame.services.store.assistants

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        one = "/agents/{agent}/assistants/{name}"
        return [
            page("/assistants", self.assistants, "list_assistants"),
            page(one, self.assistant, "get_assistant"),
            action(f"{one}/latest", self.set_latest, "set_latest_assistant"),
        ]

    async def assistants(self, visit: Visit) -> Response:
        after = visit.query.get("after") or None
        found = await self._assistants.list(AssistantFilter(visit.scope, after=after), PAGE + 1)
        return self._frame.render(
            visit,
            "assistants.html",
            title="Assistants",
            section="assistants",
            assistants=found[:PAGE],
            more=found[PAGE - 1].name if len(found) > PAGE else None,
            is_first=after is None,
        )

    async def assistant(self, visit: Visit) -> Response:
        """Three reads: the assistant, its versions, its history."""
        found = await self._found(visit)
        versions = await self._store.versions(found.name, None, VERSIONS)
        return self._frame.render(
            visit,
            "assistant.html",
            title=found.name,
            section="assistants",
            crumbs=(ASSISTANTS, Crumb(found.agent, f"/agents/{found.agent}")),
            found=found,
            config=json.loads(found.latest.config) if found.latest else None,
            versions=versions,
            moves=await self._store.moves(found.name, None, VERSIONS),
            path=f"/agents/{found.agent}/assistants/{found.name}",
            max_message=MAX_MESSAGE,
        )

    async def set_latest(self, visit: Visit) -> Response:
        found, version = await self._found(visit), version_in(visit.form, "version")
        message = visit.form.get("message", "")[:MAX_MESSAGE]
        await self._assistants.set_latest(found.name, version, message, visit.actor)
        return redirect(f"/agents/{found.agent}/assistants/{found.name}")

    async def _found(self, visit: Visit) -> Assistant:
        """The assistant of the path, which names the agent that the visitor's key was held against."""
        found = await self._assistants.get(visit.path["name"])
        if found.agent != visit.path["agent"]:
            raise NotFound(f"{visit.path['agent']} has no assistant {found.name}", hint="`ao assistants list`")
        return found

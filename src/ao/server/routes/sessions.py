"""Sessions: state, messages and workspaces."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from ao.domain.errors import UsageError
from ao.server.failures import problem_response
from ao.server.operations.sessions import (
    FileQuery,
    ForceQuery,
    MessagesQuery,
    SessionOperations,
    SessionsQuery,
    UploadQuery,
    VersionQuery,
)
from ao.server.replies import reply, reply_list
from ao.server.roles import caller_of
from ao.server.route import Route
from ao.server.routes.deployments import upload_of
from ao.server.routes.parameters import AgentName, PageQuery, Version
from ao.server.services import Services
from ao.server.uploads import MEDIA_TYPES, Uploads
from ao.store.sessions import SessionKey
from ao.wire.schemas import SESSION_ID, Page
from ao.wire.sessions import (
    MessageView,
    SessionCopy,
    SessionCreate,
    SessionDeleted,
    SessionPatch,
    SessionRestore,
    SessionSummary,
    SessionVersionSummary,
    SessionVersionView,
    SessionView,
    WorkspaceView,
)

SessionName = Annotated[str, Path(pattern=SESSION_ID, description="The session's id.", examples=["chat-1"])]
OCTETS, TAR = "application/octet-stream", "application/x-tar"


def _binary(media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": "The bytes.", "content": content}}, "response_class": Response}


class SessionRoutes:
    def __init__(self, services: Services, uploads: Uploads) -> None:
        self._operations = SessionOperations(services)
        self._uploads = uploads

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/sessions", tags=["sessions"], route_class=Route)
        add, one = router.add_api_route, "/{agent}/{session}"
        add("", self.create_session, methods=["POST"], status_code=201, response_model=SessionView)
        add("", self.list_sessions, methods=["GET"], response_model=Page[SessionSummary])
        add(one, self.get_session, methods=["GET"], response_model=SessionView)
        add(one, self.edit_session, methods=["PATCH"], response_model=SessionView)
        add(one, self.delete_session, methods=["DELETE"], response_model=SessionDeleted)
        add(f"{one}/messages", self.list_session_messages, methods=["GET"], response_model=list[MessageView])
        history = Page[SessionVersionSummary]
        add(f"{one}/history", self.list_session_history, methods=["GET"], response_model=history)
        add(
            f"{one}/versions/{{version}}",
            self.get_session_version,
            methods=["GET"],
            response_model=SessionVersionView,
        )
        add(f"{one}/restore", self.restore_session, methods=["POST"], response_model=SessionView)
        add(f"{one}/copy", self.copy_session, methods=["POST"], status_code=201, response_model=SessionView)
        workspace = f"{one}/workspace"
        add(workspace, self.get_workspace, methods=["GET"], response_model=WorkspaceView)
        add(f"{workspace}/file", self.get_workspace_file, methods=["GET"], **_binary(OCTETS))
        add(f"{workspace}/archive", self.get_workspace_archive, methods=["GET"], **_binary(TAR))
        upload = upload_of("A tar archive of the whole directory.")
        add(
            workspace, self.replace_workspace, methods=["PUT"], response_model=SessionView, openapi_extra=upload
        )
        return router

    async def create_session(self, request: Request, body: SessionCreate) -> Response:
        """Make a session. Runs do it by themselves: this is for one that begins with something."""
        return reply(await self._operations.create(caller_of(request), body), 201)

    async def list_sessions(self, request: Request, query: Annotated[SessionsQuery, Query()]) -> Response:
        """Sessions, last used first."""
        return reply(await self._operations.list(caller_of(request), query))

    async def get_session(self, agent: AgentName, session: SessionName) -> Response:
        """A session as it is now, with its state."""
        return reply(await self._operations.get(SessionKey(agent, session)))

    async def edit_session(
        self, request: Request, agent: AgentName, session: SessionName, body: SessionPatch
    ) -> Response:
        """Change the state and append messages by hand. Refused while a run has not ended, unless `force`: what
        the run commits next takes the place of the change."""
        return reply(await self._operations.edit(caller_of(request), SessionKey(agent, session), body))

    async def delete_session(
        self, request: Request, agent: AgentName, session: SessionName, query: Annotated[ForceQuery, Query()]
    ) -> Response:
        """Remove a session with all that it has. Refused while a run has not ended; `force` cancels those."""
        key = SessionKey(agent, session)
        return reply(await self._operations.delete(caller_of(request), key, query.force))

    async def list_session_messages(
        self, agent: AgentName, session: SessionName, query: Annotated[MessagesQuery, Query()]
    ) -> Response:
        """Messages in order: up to `limit`, and fewer when they are large. Go on after the last one's `seq`
        until there are none."""
        found, _ = await self._operations.messages(SessionKey(agent, session), query)
        return reply_list(found)

    async def list_session_history(
        self, agent: AgentName, session: SessionName, query: Annotated[PageQuery, Query()]
    ) -> Response:
        """Every version: who made it, when, and what changed; newest first. The last 100 are kept."""
        return reply(await self._operations.history(SessionKey(agent, session), query.limit, query.cursor))

    async def get_session_version(self, agent: AgentName, session: SessionName, version: Version) -> Response:
        """A version with its state."""
        return reply(await self._operations.at(SessionKey(agent, session), version))

    async def restore_session(
        self, request: Request, agent: AgentName, session: SessionName, body: SessionRestore
    ) -> Response:
        """Make a session what it was in a version: state, messages and workspace. Nothing is lost, it becomes
        the next version."""
        return reply(await self._operations.restore(caller_of(request), SessionKey(agent, session), body))

    async def copy_session(
        self, request: Request, agent: AgentName, session: SessionName, body: SessionCopy
    ) -> Response:
        """A new session of the agent that begins as this one is, or was."""
        return reply(await self._operations.copy(caller_of(request), SessionKey(agent, session), body), 201)

    async def get_workspace(
        self, agent: AgentName, session: SessionName, query: Annotated[VersionQuery, Query()]
    ) -> Response:
        """What is in the workspace."""
        return reply(await self._operations.workspace(SessionKey(agent, session), query.version))

    async def get_workspace_file(
        self, agent: AgentName, session: SessionName, query: Annotated[FileQuery, Query()]
    ) -> Response:
        """One file of the workspace."""
        return await _streamed(await self._operations.file(SessionKey(agent, session), query), OCTETS)

    async def get_workspace_archive(
        self, agent: AgentName, session: SessionName, query: Annotated[VersionQuery, Query()]
    ) -> Response:
        """All of the workspace as a tar archive."""
        return await _streamed(await self._operations.archive(SessionKey(agent, session), query.version), TAR)

    async def replace_workspace(
        self, request: Request, agent: AgentName, session: SessionName, query: Annotated[UploadQuery, Query()]
    ) -> Response:
        """Put the content of a tar archive into the place of what is there. Links that leave it, and what is
        neither file, directory nor link, are refused."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in MEDIA_TYPES:
            hint = "send `Content-Type: application/x-tar`"
            return problem_response(UsageError("the upload is not declared as a tar archive", hint=hint), 415)
        key = SessionKey(agent, session)
        async with self._uploads.receive(request) as received:
            return reply(await self._operations.upload(caller_of(request), key, received.path, query))


async def _streamed(pieces: AsyncIterator[bytes], media_type: str) -> Response:
    """The first piece is read before the answer begins, so that what is missing is an error."""
    first = await anext(pieces, b"")

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return StreamingResponse(all_of_it(), headers=headers, media_type=media_type)

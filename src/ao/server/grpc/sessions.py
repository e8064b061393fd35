"""`ao.v1.SessionService`: state and messages that persist between runs."""

from collections.abc import AsyncIterator

from pydantic import Field

from ao.server.grpc.messages import write
from ao.server.grpc.methods import PART_BYTES, Call, Method, Service, answer, fitting
from ao.server.grpc.requests import OfAgent, Version
from ao.server.grpc.uploads import Archive, Intake, parts_of
from ao.server.operations.sessions import (
    FileQuery,
    ForceQuery,
    MessagesQuery,
    SessionOperations,
    SessionsQuery,
    UploadQuery,
    VersionQuery,
)
from ao.server.routes.parameters import PageQuery
from ao.server.services import Services
from ao.store.sessions import SessionKey
from ao.v1 import sessions_pb2 as pb
from ao.wire.schemas import SESSION_ID
from ao.wire.sessions import SessionCopy, SessionCreate, SessionPatch, SessionRestore, SessionView


class OfSession(OfAgent):
    session: str = Field(pattern=SESSION_ID)

    @property
    def key(self) -> SessionKey:
        return SessionKey(self.agent, self.session)


class EditSession(OfSession, SessionPatch):
    """Which one, and what changes."""


class DeleteSession(OfSession, ForceQuery):
    """Which one."""


class ListMessages(OfSession, MessagesQuery):
    """Of which one."""


class ListHistory(OfSession, PageQuery):
    """Of which one."""


class GetVersion(OfSession):
    version: Version


class RestoreSession(OfSession, SessionRestore):
    """Which one, to what."""


class CopySession(OfSession, SessionCopy):
    """Which one."""


class GetWorkspace(OfSession, VersionQuery):
    """Of which one."""


class GetWorkspaceFile(OfSession, FileQuery):
    """Of which one, which file."""


class ReplaceWorkspace(OfSession, UploadQuery, Archive):
    """Of which one, and the archive's beginning."""


def session_service(services: Services) -> Service:
    sessions = SessionOperations(services)
    intake = Intake(services)

    async def messages(_call: Call, asked: ListMessages) -> pb.ListSessionMessagesResponse:
        found, all_of_it = await sessions.messages(asked.key, asked)
        some, complete = fitting((write(each, pb.Message) for each in found), all_of_it)
        return pb.ListSessionMessagesResponse(items=some, complete=complete)

    async def send(call: Call, pieces: AsyncIterator[bytes]) -> None:
        async for part in parts_of(pieces, pb.WorkspaceData, PART_BYTES):
            await call.send(part)

    async def file(call: Call, asked: GetWorkspaceFile) -> None:
        await send(call, await sessions.file(asked.key, asked))

    async def archive(call: Call, asked: GetWorkspace) -> None:
        await send(call, await sessions.archive(asked.key, asked.version))

    async def replace(call: Call, asked: ReplaceWorkspace) -> SessionView:
        return await intake.use(
            call, asked, lambda archive: sessions.upload(call.caller, asked.key, archive.path, asked)
        )

    return {
        "ListSessions": Method("list_sessions", SessionsQuery, answer(sessions.list)),
        "GetSession": Method("get_session", OfSession, answer(lambda _, asked: sessions.get(asked.key))),
        "CreateSession": Method("create_session", SessionCreate, answer(sessions.create)),
        "EditSession": Method(
            "edit_session", EditSession, answer(lambda caller, asked: sessions.edit(caller, asked.key, asked))
        ),
        "DeleteSession": Method(
            "delete_session",
            DeleteSession,
            answer(lambda caller, asked: sessions.delete(caller, asked.key, asked.force)),
        ),
        "ListSessionMessages": Method("list_session_messages", ListMessages, messages),
        "ListSessionHistory": Method(
            "list_session_history",
            ListHistory,
            answer(lambda _, asked: sessions.history(asked.key, asked.limit, asked.cursor)),
        ),
        "GetSessionVersion": Method(
            "get_session_version", GetVersion, answer(lambda _, asked: sessions.at(asked.key, asked.version))
        ),
        "RestoreSession": Method(
            "restore_session",
            RestoreSession,
            answer(lambda caller, asked: sessions.restore(caller, asked.key, asked)),
        ),
        "CopySession": Method(
            "copy_session", CopySession, answer(lambda caller, asked: sessions.copy(caller, asked.key, asked))
        ),
        "GetWorkspace": Method(
            "get_workspace",
            GetWorkspace,
            answer(lambda _, asked: sessions.workspace(asked.key, asked.version)),
        ),
        "GetWorkspaceFile": Method("get_workspace_file", GetWorkspaceFile, file),
        "GetWorkspaceArchive": Method("get_workspace_archive", GetWorkspace, archive),
        "ReplaceWorkspace": Method("replace_workspace", ReplaceWorkspace, replace, waits=True),
    }

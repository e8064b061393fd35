"""`ao.v1.SessionService`: state and messages that persist between runs."""

from pydantic import Field

from ao.server.grpc.messages import write
from ao.server.grpc.methods import Call, Method, Service, answer, fitting
from ao.server.grpc.requests import OfAgent, Version
from ao.server.operations.sessions import ForceQuery, MessagesQuery, SessionOperations, SessionsQuery
from ao.server.routes.parameters import PageQuery
from ao.server.services import Services
from ao.store.sessions import SessionKey
from ao.v1 import sessions_pb2 as pb
from ao.wire.schemas import SESSION_ID
from ao.wire.sessions import SessionCopy, SessionCreate, SessionPatch, SessionRestore


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


def session_service(services: Services) -> Service:
    sessions = SessionOperations(services)

    async def messages(_call: Call, asked: ListMessages) -> pb.ListSessionMessagesResponse:
        found, all_of_it = await sessions.messages(asked.key, asked)
        some, complete = fitting((write(each, pb.Message) for each in found), all_of_it)
        return pb.ListSessionMessagesResponse(items=some, complete=complete)

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
    }

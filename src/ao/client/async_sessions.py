"""Sessions, as the async client has them: `client.sessions`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ao.client import session_calls as calls
from ao.client.archives import Archive, packed_directory, unpack

if TYPE_CHECKING:
    from ao.client.sender import AsyncSender
    from ao.client.wire import Call
    from ao.wire.schemas import Page
    from ao.wire.sessions import (
        MessageView,
        SessionDeleted,
        SessionSummary,
        SessionVersionSummary,
        SessionVersionView,
        SessionView,
        WorkspaceView,
    )

PAGE = 500


class AsyncSessions:
    """`upload` sends an archive as the body of a call."""

    def __init__(self, client: "AsyncSender", upload: "Callable[[Call[Any], Archive], Awaitable[Any]]") -> None:
        self._client = client
        self._upload = upload

    async def create(self, agent: str, id: str | None = None, **content: Any) -> "SessionView":
        """`content` is `state` and `messages`. Conflict when it exists."""
        return await self._client.send(calls.create_session(agent, id, **content))

    async def list(
        self, agent: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[SessionSummary]":
        """One page, last used first; pass its `next` as `cursor` for the one after."""
        return await self._client.send(calls.list_sessions(agent=agent, limit=limit, cursor=cursor))

    async def get(self, agent: str, id: str) -> "SessionView":
        return await self._client.send(calls.get_session(agent, id))

    async def edit(self, agent: str, id: str, **change: Any) -> "SessionView":
        """The arguments are those of `ao.client.session_calls.edit_session`."""
        return await self._client.send(calls.edit_session(agent, id, **change))

    async def messages(
        self, agent: str, id: str, *, version: int | None = None
    ) -> "AsyncIterator[MessageView]":
        """All of them, oldest first."""
        after = 0
        while found := await self._client.send(
            calls.session_messages(agent, id, after=after, limit=PAGE, version=version)
        ):
            for message in found:
                yield message
            after = found[-1].seq

    async def history(
        self, agent: str, id: str, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[SessionVersionSummary]":
        """One page of versions, newest first."""
        return await self._client.send(calls.session_history(agent, id, limit=limit, cursor=cursor))

    async def at(self, agent: str, id: str, version: int) -> "SessionVersionView":
        """A version with its state."""
        return await self._client.send(calls.session_version(agent, id, version))

    async def restore(self, agent: str, id: str, version: int, *, force: bool = False) -> "SessionView":
        """Make it what it was in a version."""
        return await self._client.send(calls.restore_session(agent, id, version, force))

    async def copy(
        self, agent: str, id: str, to: str | None = None, *, version: int | None = None
    ) -> "SessionView":
        return await self._client.send(calls.copy_session(agent, id, to, version))

    async def delete(self, agent: str, id: str, *, force: bool = False) -> "SessionDeleted":
        """Refused while a run has not ended; `force` cancels those."""
        return await self._client.send(calls.delete_session(agent, id, force))

    async def workspace(self, agent: str, id: str, *, version: int | None = None) -> "WorkspaceView":
        """What is in it."""
        return await self._client.send(calls.get_workspace(agent, id, version))

    async def read_file(self, agent: str, id: str, path: str, *, version: int | None = None) -> bytes:
        """One file of the workspace."""
        return await self._client.send(calls.workspace_file(agent, id, path, version))

    async def download(self, agent: str, id: str, directory: str | Path, *, version: int | None = None) -> None:
        """Put the workspace into a directory, which must be empty or new."""
        content = await self._client.send(calls.workspace_archive(agent, id, version))
        await asyncio.to_thread(unpack, content, Path(directory))

    async def upload(
        self, agent: str, id: str, directory: str | Path, *, version: int | None = None, force: bool = False
    ) -> "SessionView":
        """Make the workspace what is in a directory."""
        with ExitStack() as stack:
            archive = await asyncio.to_thread(stack.enter_context, packed_directory(Path(directory)))
            view: SessionView = await self._upload(calls.replace_workspace(agent, id, version, force), archive)
            return view

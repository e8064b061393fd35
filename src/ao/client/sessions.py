"""Sessions, as the sync client has them: `client.sessions`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ao.client import session_calls as calls
from ao.client.archives import Archive, packed_directory, unpack

if TYPE_CHECKING:
    from ao.client.sender import Sender
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


class Sessions:
    """`upload` sends an archive as the body of a call."""

    def __init__(self, client: "Sender", upload: "Callable[[Call[Any], Archive], Any]") -> None:
        self._client = client
        self._upload = upload

    def create(self, agent: str, id: str | None = None, **content: Any) -> "SessionView":
        """`content` is `state` and `messages`. Conflict when it exists."""
        return self._client.send(calls.create_session(agent, id, **content))

    def list(
        self, agent: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[SessionSummary]":
        """One page, last used first; pass its `next` as `cursor` for the one after."""
        return self._client.send(calls.list_sessions(agent=agent, limit=limit, cursor=cursor))

    def get(self, agent: str, id: str) -> "SessionView":
        return self._client.send(calls.get_session(agent, id))

    def edit(self, agent: str, id: str, **change: Any) -> "SessionView":
        """The arguments are those of `ao.client.session_calls.edit_session`."""
        return self._client.send(calls.edit_session(agent, id, **change))

    def messages(self, agent: str, id: str, *, version: int | None = None) -> "Iterator[MessageView]":
        """All of them, oldest first."""
        after = 0
        while found := self._client.send(
            calls.session_messages(agent, id, after=after, limit=PAGE, version=version)
        ):
            yield from found
            after = found[-1].seq

    def history(
        self, agent: str, id: str, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[SessionVersionSummary]":
        """One page of versions, newest first."""
        return self._client.send(calls.session_history(agent, id, limit=limit, cursor=cursor))

    def at(self, agent: str, id: str, version: int) -> "SessionVersionView":
        """A version with its state."""
        return self._client.send(calls.session_version(agent, id, version))

    def restore(self, agent: str, id: str, version: int, *, force: bool = False) -> "SessionView":
        """Make it what it was in a version."""
        return self._client.send(calls.restore_session(agent, id, version, force))

    def copy(self, agent: str, id: str, to: str | None = None, *, version: int | None = None) -> "SessionView":
        return self._client.send(calls.copy_session(agent, id, to, version))

    def delete(self, agent: str, id: str, *, force: bool = False) -> "SessionDeleted":
        """Refused while a run has not ended; `force` cancels those."""
        return self._client.send(calls.delete_session(agent, id, force))

    def workspace(self, agent: str, id: str, *, version: int | None = None) -> "WorkspaceView":
        """What is in it."""
        return self._client.send(calls.get_workspace(agent, id, version))

    def read_file(self, agent: str, id: str, path: str, *, version: int | None = None) -> bytes:
        """One file of the workspace."""
        return self._client.send(calls.workspace_file(agent, id, path, version))

    def download(self, agent: str, id: str, directory: str | Path, *, version: int | None = None) -> None:
        """Put the workspace into a directory, which must be empty or new."""
        unpack(self._client.send(calls.workspace_archive(agent, id, version)), Path(directory))

    def upload(
        self, agent: str, id: str, directory: str | Path, *, version: int | None = None, force: bool = False
    ) -> "SessionView":
        """Make the workspace what is in a directory."""
        with packed_directory(Path(directory)) as archive:
            view: SessionView = self._upload(calls.replace_workspace(agent, id, version, force), archive)
            return view

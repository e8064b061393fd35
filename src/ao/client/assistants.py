"""`client.assistants`: named, versioned configurations that runs execute."""

from typing import TYPE_CHECKING

from ao.client import assistant_calls as calls

if TYPE_CHECKING:
    from ao.client.sender import AsyncSender, Sender
    from ao.wire.assistants import (
        AssistantDiffView,
        AssistantMoveView,
        AssistantVersionView,
        AssistantView,
    )
    from ao.wire.schemas import Page


class Assistants:
    """Of the sync client. Keywords of `create` and `update` are the fields of an assistant: `environment`,
    `version` (a pinned deployment), `description`, `metadata`, `input_schema`, `overrides`."""

    def __init__(self, client: "Sender") -> None:
        self._client = client

    def create(self, name: str, agent: str, *, message: str = "", **config: object) -> "AssistantView":
        """Make one. What does not fit the release raises InvalidInput with a problem for each field."""
        return self._client.send(calls.create_assistant(name, agent, config, message))

    def update(
        self, name: str, *, message: str = "", base: int | None = None, **changes: object
    ) -> "AssistantView":
        """The next version: `overrides` and `metadata` are merged into the latest's, and None removes.
        Conflict when `base` is not the latest any more."""
        return self._client.send(calls.update_assistant(name, changes, message, base))

    def get(self, name: str) -> "AssistantView":
        return self._client.send(calls.get_assistant(name))

    def list(
        self, agent: str | None = None, *, archived: bool = False, limit: int = 50, cursor: str | None = None
    ) -> "Page[AssistantView]":
        """One page, by name; pass its `next` as `cursor` for the one after."""
        call = calls.list_assistants(agent=agent, archived=archived, limit=limit, cursor=cursor)
        return self._client.send(call)

    def set_latest(self, name: str, version: int, *, message: str = "") -> "AssistantView":
        """The name means this version from now on; runs that were accepted keep theirs."""
        return self._client.send(calls.set_latest_assistant(name, version, message))

    def delete(self, name: str, *, message: str = "") -> "AssistantView":
        """Archive it: nothing new runs on it. Versions and history stay."""
        return self._client.send(calls.delete_assistant(name, message))

    def versions(
        self, name: str, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[AssistantVersionView]":
        """Newest first."""
        return self._client.send(calls.assistant_versions(name, limit=limit, cursor=cursor))

    def version(self, name: str, version: int) -> "AssistantVersionView":
        return self._client.send(calls.get_assistant_version(name, version))

    def history(self, name: str, *, limit: int = 50, cursor: str | None = None) -> "Page[AssistantMoveView]":
        """What the name has meant, since when, because of whom and why; newest first."""
        return self._client.send(calls.assistant_history(name, limit=limit, cursor=cursor))

    def diff(self, name: str, before: int, after: int) -> "AssistantDiffView":
        return self._client.send(calls.assistant_diff(name, before, after))


class AsyncAssistants:
    """Of the async client. Keywords of `create` and `update` are the fields of an assistant: `environment`,
    `version` (a pinned deployment), `description`, `metadata`, `input_schema`, `overrides`."""

    def __init__(self, client: "AsyncSender") -> None:
        self._client = client

    async def create(self, name: str, agent: str, *, message: str = "", **config: object) -> "AssistantView":
        """Make one. What does not fit the release raises InvalidInput with a problem for each field."""
        return await self._client.send(calls.create_assistant(name, agent, config, message))

    async def update(
        self, name: str, *, message: str = "", base: int | None = None, **changes: object
    ) -> "AssistantView":
        """The next version: `overrides` and `metadata` are merged into the latest's, and None removes.
        Conflict when `base` is not the latest any more."""
        return await self._client.send(calls.update_assistant(name, changes, message, base))

    async def get(self, name: str) -> "AssistantView":
        return await self._client.send(calls.get_assistant(name))

    async def list(
        self, agent: str | None = None, *, archived: bool = False, limit: int = 50, cursor: str | None = None
    ) -> "Page[AssistantView]":
        """One page, by name; pass its `next` as `cursor` for the one after."""
        call = calls.list_assistants(agent=agent, archived=archived, limit=limit, cursor=cursor)
        return await self._client.send(call)

    async def set_latest(self, name: str, version: int, *, message: str = "") -> "AssistantView":
        """The name means this version from now on; runs that were accepted keep theirs."""
        return await self._client.send(calls.set_latest_assistant(name, version, message))

    async def delete(self, name: str, *, message: str = "") -> "AssistantView":
        """Archive it: nothing new runs on it. Versions and history stay."""
        return await self._client.send(calls.delete_assistant(name, message))

    async def versions(
        self, name: str, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[AssistantVersionView]":
        """Newest first."""
        return await self._client.send(calls.assistant_versions(name, limit=limit, cursor=cursor))

    async def version(self, name: str, version: int) -> "AssistantVersionView":
        return await self._client.send(calls.get_assistant_version(name, version))

    async def history(
        self, name: str, *, limit: int = 50, cursor: str | None = None
    ) -> "Page[AssistantMoveView]":
        """What the name has meant, since when, because of whom and why; newest first."""
        return await self._client.send(calls.assistant_history(name, limit=limit, cursor=cursor))

    async def diff(self, name: str, before: int, after: int) -> "AssistantDiffView":
        return await self._client.send(calls.assistant_diff(name, before, after))

"""Assistants as `Call`s; see `ao.client.calls`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ao.client.calls import one, page
from ao.client.wire import Call

if TYPE_CHECKING:
    from ao.wire.assistants import (
        AssistantDiffView,
        AssistantMoveView,
        AssistantVersionView,
        AssistantView,
    )
    from ao.wire.schemas import Page

_ASSISTANTS = "/v1/assistants"
_VIEW = "assistants.AssistantView"


def create_assistant(
    name: str, agent: str, config: Mapping[str, object], message: str = ""
) -> "Call[AssistantView]":
    """Not repeatable: the second time the name is taken. `config` has the fields of `AssistantConfig`."""
    body = {**config, "name": name, "agent": agent, "message": message}
    return Call("POST", _ASSISTANTS, one(_VIEW), body=body, repeatable=False)


def update_assistant(
    name: str, changes: Mapping[str, object], message: str = "", base: int | None = None
) -> "Call[AssistantView]":
    """Repeatable: the same change again makes no version."""
    body = {**changes, "message": message, "base": base}
    return Call("PATCH", _of(name), one(_VIEW), body=body)


def get_assistant(name: str) -> "Call[AssistantView]":
    return Call("GET", _of(name), one(_VIEW))


def list_assistants(
    *, agent: str | None = None, archived: bool = False, limit: int = 50, cursor: str | None = None
) -> "Call[Page[AssistantView]]":
    query = {"agent": agent, "archived": archived or None, "limit": limit, "cursor": cursor}
    return Call("GET", _ASSISTANTS, page(_VIEW), query)


def set_latest_assistant(name: str, version: int, message: str = "") -> "Call[AssistantView]":
    body = {"version": version, "message": message}
    return Call("POST", _of(name, "/latest"), one(_VIEW), body=body)


def delete_assistant(name: str, message: str = "") -> "Call[AssistantView]":
    return Call("DELETE", _of(name), one(_VIEW), {"message": message or None})


def assistant_versions(
    name: str, *, limit: int = 50, cursor: str | None = None
) -> "Call[Page[AssistantVersionView]]":
    query = {"limit": limit, "cursor": cursor}
    return Call("GET", _of(name, "/versions"), page("assistants.AssistantVersionView"), query)


def get_assistant_version(name: str, version: int) -> "Call[AssistantVersionView]":
    return Call("GET", _of(name, f"/versions/{version}"), one("assistants.AssistantVersionView"))


def assistant_history(
    name: str, *, limit: int = 50, cursor: str | None = None
) -> "Call[Page[AssistantMoveView]]":
    query = {"limit": limit, "cursor": cursor}
    return Call("GET", _of(name, "/history"), page("assistants.AssistantMoveView"), query)


def assistant_diff(name: str, before: int, after: int) -> "Call[AssistantDiffView]":
    query: dict[str, Any] = {"before": before, "after": after}
    return Call("GET", _of(name, "/diff"), one("assistants.AssistantDiffView"), query)


def _of(name: str, rest: str = "") -> str:
    return f"{_ASSISTANTS}/{quote(name, safe='')}{rest}"

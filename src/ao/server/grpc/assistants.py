"""`ao.v1.AssistantService`: named, versioned configurations that runs execute."""

from typing import Literal

from pydantic import Field

from ao.domain.assistant import ASSISTANT_NAME
from ao.server.grpc.methods import Method, Service, answer
from ao.server.grpc.requests import Version, part
from ao.server.operations.agents import DiffQuery
from ao.server.operations.assistants import AssistantOperations, AssistantsQuery, DeleteQuery
from ao.server.routes.parameters import PageQuery
from ao.server.services import Services
from ao.wire.assistants import AssistantCreate, AssistantUpdate, SetLatest
from ao.wire.schemas import Request


class OfAssistant(Request):
    assistant: str = Field(pattern=ASSISTANT_NAME)


class ListOf(OfAssistant, PageQuery):
    """A page of versions, or of the history."""


class GetVersion(OfAssistant):
    version: Version


class UpdateAssistant(OfAssistant, AssistantUpdate):
    clear: list[Literal["version", "metadata", "input_schema", "overrides"]] = Field(default_factory=list)


class SetLatestAssistant(OfAssistant, SetLatest):
    """Which one, to what."""


class DeleteAssistant(OfAssistant, DeleteQuery):
    """Which one, and why."""


class GetDiff(OfAssistant, DiffQuery):
    """Of which one."""


def assistant_service(services: Services) -> Service:
    assistants = AssistantOperations(services)
    update = answer(
        lambda caller, asked: assistants.update(
            caller, asked.assistant, part(asked, AssistantUpdate, asked.clear)
        )
    )
    set_latest = answer(lambda caller, asked: assistants.set_latest(caller, asked.assistant, asked))
    delete = answer(lambda caller, asked: assistants.delete(caller, asked.assistant, asked))
    diff = answer(lambda _, asked: assistants.diff(asked.assistant, asked.before, asked.after))
    return {
        "ListAssistants": Method("list_assistants", AssistantsQuery, answer(assistants.list)),
        "GetAssistant": Method(
            "get_assistant", OfAssistant, answer(lambda _, asked: assistants.get(asked.assistant))
        ),
        "ListAssistantVersions": Method(
            "list_assistant_versions",
            ListOf,
            answer(lambda _, asked: assistants.versions(asked.assistant, asked)),
        ),
        "GetAssistantVersion": Method(
            "get_assistant_version",
            GetVersion,
            answer(lambda _, asked: assistants.version(asked.assistant, asked.version)),
        ),
        "CreateAssistant": Method("create_assistant", AssistantCreate, answer(assistants.create)),
        "UpdateAssistant": Method("update_assistant", UpdateAssistant, update),
        "SetLatestAssistant": Method("set_latest_assistant", SetLatestAssistant, set_latest),
        "DeleteAssistant": Method("delete_assistant", DeleteAssistant, delete),
        "ListAssistantHistory": Method(
            "list_assistant_history",
            ListOf,
            answer(lambda _, asked: assistants.history(asked.assistant, asked)),
        ),
        "GetAssistantDiff": Method("get_assistant_diff", GetDiff, diff),
    }

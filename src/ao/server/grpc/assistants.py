"""`ao.v1.AssistantService`: named, versioned configurations that runs execute."""

from pydantic import Field

from ao.domain.assistant import ASSISTANT_NAME
from ao.server.grpc.methods import Method, Service, answer
from ao.server.operations.assistants import AssistantOperations, AssistantsQuery
from ao.server.routes.parameters import PageQuery
from ao.server.services import Services
from ao.wire.schemas import Request


class OfAssistant(Request):
    assistant: str = Field(pattern=ASSISTANT_NAME)


class ListVersions(OfAssistant, PageQuery):
    """A page of versions."""


def assistant_service(services: Services) -> Service:
    assistants = AssistantOperations(services)
    return {
        "ListAssistants": Method("list_assistants", AssistantsQuery, answer(assistants.list)),
        "GetAssistant": Method(
            "get_assistant", OfAssistant, answer(lambda _, asked: assistants.get(asked.assistant))
        ),
        "ListAssistantVersions": Method(
            "list_assistant_versions",
            ListVersions,
            answer(lambda _, asked: assistants.versions(asked.assistant, asked)),
        ),
    }

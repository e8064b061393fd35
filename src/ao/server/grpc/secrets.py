"""`ao.v1.SecretService`: secrets, whose values never leave."""

from pydantic import Field

from ao.server.grpc.methods import Method, Service, answer, items
from ao.server.operations.secrets import SecretOperations, SecretsQuery
from ao.server.services import Services
from ao.wire.schemas import ENV_NAME, SecretSet


class DeleteSecret(SecretsQuery):
    name: str = Field(pattern=ENV_NAME)


class SetSecret(DeleteSecret, SecretSet):
    """Which one, to what."""


def secret_service(services: Services) -> Service:
    secrets = SecretOperations(services)
    put = answer(lambda caller, asked: secrets.set(caller, asked.agent, asked.name, asked.value))
    delete = answer(lambda caller, asked: secrets.delete(caller, asked.agent, asked.name))
    return {
        "ListSecrets": Method(
            "list_secrets", SecretsQuery, items(lambda caller, asked: secrets.list(caller, asked.agent))
        ),
        "SetSecret": Method("set_secret", SetSecret, put),
        "DeleteSecret": Method("delete_secret", DeleteSecret, delete),
    }

"""Secrets, by name."""

from collections.abc import Sequence

from ao.server.roles import Caller
from ao.server.routes.parameters import AgentFilter
from ao.server.services import Services
from ao.server.views import secret_view
from ao.wire.schemas import Request, SecretView


class SecretsQuery(Request):
    agent: AgentFilter = None


class SecretOperations:
    def __init__(self, services: Services) -> None:
        self._secrets = services.secrets

    async def list(self, caller: Caller, agent: str | None) -> Sequence[SecretView]:
        found = await self._secrets.list(agent)
        return [secret_view(secret) for secret in found if caller.sees(secret.agent)]

    async def set(self, caller: Caller, agent: str | None, name: str, value: str) -> SecretView:
        return secret_view(await self._secrets.set(agent, name, value, caller.actor))

    async def delete(self, caller: Caller, agent: str | None, name: str) -> None:
        await self._secrets.delete(agent, name, caller.actor)

"""Who may do what, and what is kept from others. See `ao.store` for what every method promises."""

from collections.abc import Sequence
from typing import Protocol

from ao.ids import ApiKeyId
from ao.store.audit import NewAudit
from ao.store.records import ApiKey, Login, NewApiKey, Secret


class SecretStore(Protocol):
    """Values are ciphertext here; encryption is the caller's."""

    async def set(
        self, agent: str, name: str, ciphertext: bytes, actor: str, audit: NewAudit | None = None
    ) -> Secret: ...

    async def delete(self, agent: str, name: str, audit: NewAudit | None = None) -> None: ...

    async def list(self, agent: str | None) -> Sequence[Secret]: ...

    async def resolve(self, agent: str, names: Sequence[str]) -> dict[str, bytes]:
        """Ciphertexts by name; the agent's own wins over one for all agents. Missing names are absent."""
        ...

    async def mark(self) -> str:
        """Another one as soon as a secret was set or deleted. One statement."""
        ...


class KeyStore(Protocol):
    """Only hashes of API keys are kept."""

    async def create(self, key: NewApiKey, audit: NewAudit | None = None) -> ApiKey: ...

    async def find(self, key_hash: str) -> ApiKey | None:
        """The key that has this hash and is neither revoked nor expired."""
        ...

    async def list(self) -> Sequence[ApiKey]: ...

    async def touch(self, key_id: ApiKeyId) -> None:
        """It was used now."""
        ...

    async def revoke(self, key_id: ApiKeyId, audit: NewAudit | None = None) -> ApiKey:
        """Revoking twice is no error; the first instant is kept, and the second is not in the audit log."""
        ...


class LoginStore(Protocol):
    """Who is logged in to the dashboard. Only hashes of tokens are kept; what has expired is removed by the
    next write."""

    async def offer(self, link_hash: str, key_id: ApiKeyId, lifetime_us: int) -> None:
        """A link that logs in as this key, once."""
        ...

    async def redeem(self, link_hash: str, session_hash: str, lifetime_us: int) -> bool:
        """Trade a link for a session; False when it was used, has expired or never was."""
        ...

    async def open(self, session_hash: str, key_id: ApiKeyId, lifetime_us: int) -> None: ...

    async def find(self, session_hash: str) -> Login | None:
        """The session, unless it has expired or its key was revoked."""
        ...

    async def close(self, session_hash: str) -> None:
        """End a session; ending it twice is no error."""
        ...

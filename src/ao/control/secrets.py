"""Secrets: encrypted at rest with AES-256-GCM, opened only to be injected into a sandbox."""

import os
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ao.control import audit
from ao.domain.agent_config import MAX_ARGUMENT_BYTES
from ao.domain.errors import InvalidInput, NotFound, Problem, SandboxError
from ao.store import Store
from ao.store.records import Secret

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
_NONCE_BYTES = 12
KEY_BYTES = 32


class Cipher:
    """Seals values for one (agent, name): a ciphertext that is moved to another name does not open."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, agent: str, name: str, value: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, value.encode(), _bound_to(agent, name))

    def open(self, agent: str, name: str, sealed: bytes) -> str:
        """The value; InvalidTag when the key is another one or the text was changed."""
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._aead.decrypt(nonce, body, _bound_to(agent, name)).decode()


class Secrets:
    def __init__(self, store: Store, cipher: Cipher) -> None:
        self._store = store
        self._cipher = cipher

    async def set(self, agent: str | None, name: str, value: str, actor: str) -> Secret:
        _check_name(name)
        _check_value(value)
        owner = agent or ""
        entry = audit.entry(actor, "secret.set", f"secret:{name}", owner)
        return await self._store.secrets.set(owner, name, self._cipher.seal(owner, name, value), actor, entry)

    async def delete(self, agent: str | None, name: str, actor: str) -> None:
        owner = agent or ""
        entry = audit.entry(actor, "secret.delete", f"secret:{name}", owner)
        await self._store.secrets.delete(owner, name, entry)

    async def list(self, agent: str | None) -> Sequence[Secret]:
        return await self._store.secrets.list(agent)

    async def reveal(self, agent: str, names: Sequence[str]) -> dict[str, str]:
        """The values that an attempt of `agent` gets. A missing one is NotFound, naming it."""
        if not names:
            return {}
        sealed = await self._store.secrets.resolve(agent, names)
        missing = [name for name in names if name not in sealed]
        if missing:
            raise NotFound(
                f"secret not set: {', '.join(missing)}",
                hint=f"set it with `ao secrets set {missing[0]} --agent {agent}`",
            )
        return {name: self._open(agent, name, sealed[name]) for name in names}

    def _open(self, agent: str, name: str, sealed: bytes) -> str:
        for owner in (agent, ""):
            try:
                return self._cipher.open(owner, name, sealed)
            except InvalidTag:
                continue
        raise SandboxError(
            f"secret {name} cannot be opened with this server's secrets key",
            hint=f"restore the key file that it was sealed with, or set {name} again",
        )


def _bound_to(agent: str, name: str) -> bytes:
    return f"{agent}\0{name}".encode()


def _check_value(value: str) -> None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        problem = "is not text: it has half of a surrogate pair"
    else:
        if "\0" not in value and size <= MAX_ARGUMENT_BYTES:
            return
        problem = f"must be at most {MAX_ARGUMENT_BYTES:,} bytes of text without NUL"
    raise InvalidInput(
        f"the value {problem}",
        hint="encode it, such as with base64",
        problems=[Problem("value", "becomes an environment variable of the agent")],
    )


def _check_name(name: str) -> None:
    if not _NAME.match(name) or name.startswith("AO_"):
        raise InvalidInput(
            f"{name!r} is not a name for a secret",
            hint="use letters, digits and _, no leading digit, and no leading AO_",
            problems=[Problem("name", "becomes an environment variable of the agent")],
        )

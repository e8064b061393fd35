"""Bodies of the REST API for API keys and the audit log."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, JsonValue

from ao.domain.access import Role
from ao.wire.schemas import AGENT_NAME, Request, Response

AgentName = Annotated[str, Field(pattern=AGENT_NAME)]
KEY_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
KEY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$"
MAX_SECONDS = 10 * 366 * 86_400.0


class KeyCreate(Request):
    name: str = Field(pattern=KEY_NAME, examples=["ci"], description="Shown with what the key changes.")
    role: Role
    agents: list[AgentName] = Field(
        default_factory=list, max_length=100, description="The agents that it is for; empty: all."
    )
    expires_in_seconds: float | None = Field(None, gt=0, le=MAX_SECONDS, description="Null: never.")


class KeyView(Response):
    id: str
    name: str
    role: Role
    agents: list[str] = Field(description="Empty: all agents.")
    actor: str = Field(description="Who made it; empty for the one of the home directory.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Exact to a minute.")
    revoked_at: datetime | None


class KeyCreated(Response):
    key: KeyView
    secret: str = Field(description="The API key, `ao_…`. It is shown only here.")


class AuditView(Response):
    """One change."""

    id: str
    at: datetime
    actor: str = Field(description="`key:<name>`, `schedule:<id>` or `system`.")
    key_id: str = Field(description="Empty for what the server did by itself.")
    action: str = Field(examples=["secret.set"])
    target: str = Field(examples=["secret:TOKEN"])
    agent: str | None = Field(description="Null: the server as a whole.")
    details: dict[str, JsonValue]
    source: str = Field(description="Address that the request came from.")
    request_id: str = Field(description="`X-Request-Id` of the answer; the server's log has it, too.")

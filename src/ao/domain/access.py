"""Who may do what: permissions, the roles that hold them, and the one function that decides.

A key has one role and optionally a scope, the agents that it is for. REST, gRPC and the dashboard ask `may`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from ao.domain.errors import Forbidden

ALL_AGENTS: Final = "*"
"""In place of an agent's name: the whole server. A key with a scope may do nothing there."""
SOME_AGENT: Final = "?"
"""In place of an agent's name: at least one agent, such as to show a list of what the key may see."""


class Permission(StrEnum):
    READ = "read"
    """See agents, deployments, runs with their input and output, sessions, schedules."""
    RUN = "run"
    """Start, cancel, replay and fork runs; change what waits for them."""
    SCHEDULE = "schedule"
    """Make, pause, resume, backfill and delete schedules."""
    ANSWER = "answer"
    """Answer what agents ask, approvals too."""
    DEPLOY = "deploy"
    """Upload projects, move pointers, make and change assistants."""
    SECRETS = "secrets"
    """See names of secrets, set and remove them."""
    ADMINISTER = "administer"
    """API keys, the audit log, garbage: the server itself."""


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    DEPLOYER = "deployer"
    APPROVER = "approver"
    ADMIN = "admin"


_VIEW = frozenset({Permission.READ})
_OPERATE = _VIEW | {Permission.RUN, Permission.SCHEDULE}

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEW,
    Role.OPERATOR: _OPERATE,
    Role.DEPLOYER: _OPERATE | {Permission.DEPLOY, Permission.SECRETS},
    Role.APPROVER: _VIEW | {Permission.ANSWER},
    Role.ADMIN: frozenset(Permission),
}
"""Who starts an agent or releases it does not answer for it: `answer` belongs to approvers and admins."""


class Principal(Protocol):
    """Who asks; an API key is one."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def agents(self) -> Sequence[str]:
        """The agents that it is for; empty means all."""
        ...


def may(principal: Principal, permission: Permission, agent: str) -> bool:
    """Whether `principal` has the permission on an agent, `ALL_AGENTS` or `SOME_AGENT`."""
    return permission in _granted(principal) and _in_scope(principal, agent)


def require(principal: Principal, permission: Permission, agent: str) -> None:
    """Raises Forbidden, saying what is missing, when `may` is false."""
    if permission not in _granted(principal):
        roles = [role.value for role in Role if permission in GRANTS[role]]
        raise Forbidden(
            f"the key {principal.name!r} is a {principal.role}; this needs the permission {permission}",
            hint=f"use a key with the role {' or '.join(roles)}",
        )
    if not _in_scope(principal, agent):
        what = "the whole server" if agent == ALL_AGENTS else f"the agent {agent}"
        raise Forbidden(
            f"the key {principal.name!r} is for {', '.join(principal.agents)} only; this concerns {what}",
            hint="use a key that is for it, or one without a scope",
        )


def _granted(principal: Principal) -> frozenset[Permission]:
    """Nothing for a role that this version does not know."""
    try:
        return GRANTS[Role(principal.role)]
    except ValueError:
        return frozenset()


def _in_scope(principal: Principal, agent: str) -> bool:
    return not principal.agents or agent == SOME_AGENT or agent in principal.agents

"""Who may do what: one table of operations and the least role that each needs."""

from collections.abc import Mapping
from enum import IntEnum

from ao.domain.errors import Forbidden
from ao.store.records import ApiKey


class Role(IntEnum):
    """Each role may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    DEPLOYER = 3
    ADMIN = 4


NEEDED: Mapping[str, Role] = {
    "create_run": Role.OPERATOR,
    "list_runs": Role.VIEWER,
    "get_run": Role.VIEWER,
    "cancel_run": Role.OPERATOR,
    "get_run_events": Role.VIEWER,
    "get_run_logs": Role.VIEWER,
    "search_run_logs": Role.VIEWER,
    "list_run_attempts": Role.VIEWER,
    "list_agents": Role.VIEWER,
    "get_agent": Role.VIEWER,
    "list_pointer_history": Role.VIEWER,
    "create_deployment": Role.DEPLOYER,
    "list_deployments": Role.VIEWER,
    "get_deployment": Role.VIEWER,
    "get_deployment_log": Role.VIEWER,
    "get_diff": Role.VIEWER,
    "rollback_agent": Role.DEPLOYER,
    "list_schedules": Role.VIEWER,
    "list_secrets": Role.DEPLOYER,
    "set_secret": Role.DEPLOYER,
    "delete_secret": Role.DEPLOYER,
    "collect_garbage": Role.ADMIN,
    "get_status": Role.VIEWER,
    "get_openapi": Role.VIEWER,
    "create_login_link": Role.VIEWER,
}
"""By operation id. An operation without a row cannot be routed: the server does not start."""


def require(key: ApiKey, operation: str) -> None:
    """Raises Forbidden when the key's role is below what the operation needs."""
    needed = NEEDED[operation]
    if not may(key, operation):
        raise Forbidden(
            f"the key {key.name!r} is a {key.role}; this needs {needed.name.lower()}",
            hint=f"use a key with the role {needed.name.lower()} or above",
        )


def may(key: ApiKey, operation: str) -> bool:
    """Whether the key's role is enough for an operation."""
    return role_of(key) >= NEEDED[operation]


def role_of(key: ApiKey) -> int:
    """0, less than any role, for a role that this version does not know."""
    return Role.__members__.get(key.role.upper(), 0)

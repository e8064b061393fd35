"""One table: what each operation needs, and where it says which agent it concerns."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from fastapi import Request

from ao.domain.access import ALL_AGENTS, SOME_AGENT, Permission, may, require
from ao.store.records import ApiKey


class Of(Enum):
    """Where the agent stands that an operation concerns. The key's scope is held against it."""

    PATH = auto()
    """`{agent}` in the path."""
    QUERY = auto()
    """`agent` in the query; without it, all agents."""
    BODY = auto()
    """In the body: the handler calls `require_agent`."""
    LIST = auto()
    """The answer lists what the key may see: the handler asks `sees` or `scope_of`. An `agent` in the query is
    held against the scope."""
    RUN = auto()
    """The agent of the run `{run_id}`."""
    DELIVERY = auto()
    """The agent of the webhook delivery `{delivery_id}`."""
    SERVER = auto()
    """The server as a whole: never a key with a scope."""
    NOTHING = auto()
    """No agent's affair: any key of the role."""


@dataclass(frozen=True, slots=True)
class Rule:
    permission: Permission
    of: Of


_P = Permission

RULES: Mapping[str, Rule] = {
    "create_run": Rule(_P.RUN, Of.BODY),
    "create_run_wait": Rule(_P.RUN, Of.BODY),
    "create_run_stream": Rule(_P.RUN, Of.BODY),
    "get_run_stream": Rule(_P.READ, Of.RUN),
    "list_runs": Rule(_P.READ, Of.LIST),
    "get_run": Rule(_P.READ, Of.RUN),
    "cancel_run": Rule(_P.RUN, Of.RUN),
    "get_run_events": Rule(_P.READ, Of.RUN),
    "get_run_logs": Rule(_P.READ, Of.RUN),
    "search_run_logs": Rule(_P.READ, Of.RUN),
    "list_run_attempts": Rule(_P.READ, Of.RUN),
    "list_run_steps": Rule(_P.READ, Of.RUN),
    "list_questions": Rule(_P.READ, Of.LIST),
    "answer_question": Rule(_P.ANSWER, Of.RUN),
    "fork_run": Rule(_P.RUN, Of.RUN),
    "replay_run": Rule(_P.RUN, Of.RUN),
    "list_dead_letters": Rule(_P.READ, Of.LIST),
    "list_dead_letter_groups": Rule(_P.READ, Of.LIST),
    "replay_dead_letters": Rule(_P.RUN, Of.PATH),
    "purge_dead_letters": Rule(_P.RUN, Of.QUERY),
    "list_agents": Rule(_P.READ, Of.LIST),
    "get_agent": Rule(_P.READ, Of.PATH),
    "list_pointer_history": Rule(_P.READ, Of.PATH),
    "create_deployment": Rule(_P.DEPLOY, Of.PATH),
    "list_deployments": Rule(_P.READ, Of.PATH),
    "get_deployment": Rule(_P.READ, Of.PATH),
    "get_deployment_log": Rule(_P.READ, Of.PATH),
    "get_diff": Rule(_P.READ, Of.PATH),
    "rollback_agent": Rule(_P.DEPLOY, Of.PATH),
    "list_schedules": Rule(_P.READ, Of.LIST),
    "list_secrets": Rule(_P.SECRETS, Of.LIST),
    "set_secret": Rule(_P.SECRETS, Of.QUERY),
    "delete_secret": Rule(_P.SECRETS, Of.QUERY),
    "create_key": Rule(_P.ADMINISTER, Of.SERVER),
    "list_keys": Rule(_P.ADMINISTER, Of.SERVER),
    "revoke_key": Rule(_P.ADMINISTER, Of.SERVER),
    "list_webhooks": Rule(_P.READ, Of.LIST),
    "get_webhook": Rule(_P.READ, Of.DELIVERY),
    "replay_webhook": Rule(_P.RUN, Of.DELIVERY),
    "list_audit": Rule(_P.ADMINISTER, Of.SERVER),
    "collect_garbage": Rule(_P.ADMINISTER, Of.SERVER),
    "get_status": Rule(_P.READ, Of.NOTHING),
    "get_openapi": Rule(_P.READ, Of.NOTHING),
    "create_login_link": Rule(_P.READ, Of.NOTHING),
}
"""By operation id. An operation without a row cannot be routed: the server does not start."""

Locate = Callable[[str], Awaitable[str]]
"""The agent of something with an id."""


async def admit(request: Request, rule: Rule) -> None:
    """Raises Forbidden unless the request's key has the role and, where the URL says enough, the scope."""
    key = key_of(request)
    require(key, rule.permission, await _concerned(request, rule) if key.agents else SOME_AGENT)
    request.scope["ao.rule"] = rule


async def _concerned(request: Request, rule: Rule) -> str:
    match rule.of:
        case Of.PATH:
            return str(request.path_params["agent"])
        case Of.QUERY:
            return request.query_params.get("agent", ALL_AGENTS)
        case Of.LIST:
            return request.query_params.get("agent", SOME_AGENT)
        case Of.RUN:
            agent_of_run: Locate = request.app.state.agent_of_run
            return await agent_of_run(request.path_params["run_id"])
        case Of.DELIVERY:
            agent_of_delivery: Locate = request.app.state.agent_of_delivery
            return await agent_of_delivery(request.path_params["delivery_id"])
        case Of.SERVER:
            return ALL_AGENTS
        case Of.BODY | Of.NOTHING:
            return SOME_AGENT


def key_of(request: Request) -> ApiKey:
    key: ApiKey = request.scope["ao.key"]
    return key


def require_agent(request: Request, agent: str) -> None:
    """Raises Forbidden unless the key may do on this agent what the operation does."""
    rule: Rule = request.scope["ao.rule"]
    require(key_of(request), rule.permission, agent)


def may_do(key: ApiKey, operation: str, agent: str = SOME_AGENT) -> bool:
    """Whether a key may do an operation of the table on this agent; without one, on any agent at all."""
    rule = RULES[operation]
    return may(key, rule.permission, ALL_AGENTS if rule.of is Of.SERVER else agent)


def sees(request: Request, agent: str) -> bool:
    """Whether a list that the operation makes shows what belongs to this agent; empty: to all agents."""
    rule: Rule = request.scope["ao.rule"]
    return may(key_of(request), rule.permission, agent or ALL_AGENTS)


def scope_of(request: Request) -> Sequence[str]:
    """The agents that the key is for; empty means all."""
    return key_of(request).agents

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
    """In the body: the operation calls `Caller.require`."""
    LIST = auto()
    """The answer lists what the key may see: the operation asks `Caller.sees` or `Caller.scope`. An `agent` in
    the query is held against the scope."""
    RUN = auto()
    """The agent of the run `{run_id}`."""
    ASSISTANT = auto()
    """The agent of the assistant `{assistant}`."""
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
    "create_assistant": Rule(_P.DEPLOY, Of.BODY),
    "list_assistants": Rule(_P.READ, Of.LIST),
    "get_assistant": Rule(_P.READ, Of.ASSISTANT),
    "update_assistant": Rule(_P.DEPLOY, Of.ASSISTANT),
    "delete_assistant": Rule(_P.DEPLOY, Of.ASSISTANT),
    "set_latest_assistant": Rule(_P.DEPLOY, Of.ASSISTANT),
    "list_assistant_versions": Rule(_P.READ, Of.ASSISTANT),
    "get_assistant_version": Rule(_P.READ, Of.ASSISTANT),
    "list_assistant_history": Rule(_P.READ, Of.ASSISTANT),
    "get_assistant_diff": Rule(_P.READ, Of.ASSISTANT),
    "create_deployment": Rule(_P.DEPLOY, Of.PATH),
    "list_deployments": Rule(_P.READ, Of.PATH),
    "get_deployment": Rule(_P.READ, Of.PATH),
    "get_deployment_log": Rule(_P.READ, Of.PATH),
    "get_diff": Rule(_P.READ, Of.PATH),
    "rollback_agent": Rule(_P.DEPLOY, Of.PATH),
    "create_session": Rule(_P.RUN, Of.BODY),
    "list_sessions": Rule(_P.READ, Of.LIST),
    "get_session": Rule(_P.READ, Of.PATH),
    "edit_session": Rule(_P.RUN, Of.PATH),
    "delete_session": Rule(_P.RUN, Of.PATH),
    "list_session_messages": Rule(_P.READ, Of.PATH),
    "list_session_history": Rule(_P.READ, Of.PATH),
    "get_session_version": Rule(_P.READ, Of.PATH),
    "restore_session": Rule(_P.RUN, Of.PATH),
    "copy_session": Rule(_P.RUN, Of.PATH),
    "get_workspace": Rule(_P.READ, Of.PATH),
    "get_workspace_file": Rule(_P.READ, Of.PATH),
    "get_workspace_archive": Rule(_P.READ, Of.PATH),
    "replace_workspace": Rule(_P.RUN, Of.PATH),
    "list_schedules": Rule(_P.READ, Of.LIST),
    "create_schedule": Rule(_P.SCHEDULE, Of.BODY),
    "get_schedule": Rule(_P.READ, Of.PATH),
    "update_schedule": Rule(_P.SCHEDULE, Of.PATH),
    "delete_schedule": Rule(_P.SCHEDULE, Of.PATH),
    "pause_schedule": Rule(_P.SCHEDULE, Of.PATH),
    "resume_schedule": Rule(_P.SCHEDULE, Of.PATH),
    "trigger_schedule": Rule(_P.SCHEDULE, Of.PATH),
    "backfill_schedule": Rule(_P.SCHEDULE, Of.PATH),
    "list_schedule_ticks": Rule(_P.READ, Of.PATH),
    "list_next_ticks": Rule(_P.READ, Of.PATH),
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
    "list_workers": Rule(_P.READ, Of.NOTHING),
    "drain_worker": Rule(_P.ADMINISTER, Of.SERVER),
    "get_status": Rule(_P.READ, Of.NOTHING),
    "get_sizes": Rule(_P.READ, Of.NOTHING),
    "get_openapi": Rule(_P.READ, Of.NOTHING),
    "create_login_link": Rule(_P.READ, Of.NOTHING),
}
"""By operation id. An operation without a row cannot be routed: the server does not start."""

Locate = Callable[[str], Awaitable[str]]
"""The agent of something with an id."""

_ID = {Of.RUN: "run_id", Of.DELIVERY: "delivery_id", Of.ASSISTANT: "assistant"}
"""How a request names what has an agent."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for an operation, and the rule that let them in."""

    key: ApiKey
    rule: Rule

    @property
    def actor(self) -> str:
        """As it is kept with what they change."""
        return f"key:{self.key.name}"

    @property
    def scope(self) -> Sequence[str]:
        """The agents that the key is for; empty means all."""
        return self.key.agents

    def require(self, agent: str, permission: Permission | None = None) -> None:
        """Raises Forbidden unless the key may do on this agent what the operation does, or has `permission`."""
        require(self.key, permission or self.rule.permission, agent)

    def sees(self, agent: str) -> bool:
        """Whether a list that the operation makes shows what belongs to this agent; empty: to all agents."""
        return may(self.key, self.rule.permission, agent or ALL_AGENTS)


async def admit(key: ApiKey, rule: Rule, named: Mapping[str, str], agent_of: Mapping[Of, Locate]) -> Caller:
    """Raises Forbidden unless the key has the role and, where the request says enough, the scope.

    `named` is what the request names: `agent`, `run_id`, `delivery_id`, `assistant`.
    """
    require(key, rule.permission, await _concerned(rule, named, agent_of) if key.agents else SOME_AGENT)
    return Caller(key, rule)


async def _concerned(rule: Rule, named: Mapping[str, str], agent_of: Mapping[Of, Locate]) -> str:
    match rule.of:
        case Of.PATH:
            return named["agent"]
        case Of.QUERY:
            return named.get("agent", ALL_AGENTS)
        case Of.LIST:
            return named.get("agent", SOME_AGENT)
        case Of.RUN | Of.DELIVERY | Of.ASSISTANT:
            return await agent_of[rule.of](named[_ID[rule.of]])
        case Of.SERVER:
            return ALL_AGENTS
        case Of.BODY | Of.NOTHING:
            return SOME_AGENT


def caller_of(request: Request) -> Caller:
    """Who asks, of a request that its route has let in."""
    caller: Caller = request.scope["ao.caller"]
    return caller


def may_do(key: ApiKey, operation: str, agent: str = SOME_AGENT) -> bool:
    """Whether a key may do an operation of the table on this agent; without one, on any agent at all."""
    rule = RULES[operation]
    return may(key, rule.permission, ALL_AGENTS if rule.of is Of.SERVER else agent)

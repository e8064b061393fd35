"""Every operation of the API as a `Call`.

Response models are imported when the first answer is read: pydantic costs more start-up time than
everything else in a command together, and `send_json` does without.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast
from urllib.parse import quote

from ao.client.events import Frame
from ao.client.wire import Call
from ao.domain.deployment import DEFAULT_ENVIRONMENT
from ao.domain.event import EventKind

if TYPE_CHECKING:
    from ao.wire import schemas as s
    from ao.wire.access import AuditView, KeyCreated, KeyView
    from ao.wire.sizes import SizesView
    from ao.wire.steps import QuestionView, StepView
    from ao.wire.webhooks import DeliveryDetail, DeliveryView


def create_run(
    agent: str | None,
    input: object,
    *,
    idempotency_key: str,
    version: int | None = None,
    environment: str = "prod",
    priority: int = 0,
    concurrency_key: str | None = None,
    wait: float = 0.0,
    webhook: "Mapping[str, str] | None" = None,
    session: str | None = None,
    on_overlap: str | None = None,
    assistant: str | None = None,
    assistant_version: int | None = None,
) -> "Call[s.RunView]":
    """Repeatable, because of the key."""
    body: dict[str, object] = {
        **_target(agent, assistant, assistant_version, {"version": version, "environment": environment}),
        "input": {} if input is None else input,
        "priority": priority,
        "idempotency_key": idempotency_key,
    }
    if concurrency_key is not None:
        body["concurrency_key"] = concurrency_key
    if webhook is not None:
        body["webhook"] = dict(webhook)
    if session is not None:
        body["session"] = session
    if on_overlap is not None:
        body["on_overlap"] = on_overlap
    query = {"wait": wait or None}
    return Call("POST", "/v1/runs", one("RunView"), query, body, patience_seconds=wait)


def _target(
    agent: str | None, assistant: str | None, assistant_version: int | None, release: dict[str, object]
) -> dict[str, object]:
    """What is to run: of an agent with its release, or of an assistant, which knows both. Both together, or
    none, is for the server to refuse."""
    if assistant is None and assistant_version is None:
        return {**release, **({} if agent is None else {"agent": agent})}
    said = {"agent": agent, "assistant": assistant, "assistant_version": assistant_version, **release}
    return {name: value for name, value in said.items() if value not in (None, DEFAULT_ENVIRONMENT)}


class RunRequest(TypedDict, total=False):
    """What else a run may ask for."""

    version: int | None
    environment: str
    priority: int
    concurrency_key: str | None
    """Runs of the agent with the same one share its limit."""
    webhook: "Mapping[str, str] | None"
    """`url`, and `secret`: the name of a secret of the agent, or of all agents, that signs."""
    session: str | None
    on_overlap: str | None
    assistant: str | None
    """In place of an agent, a version and an environment."""
    assistant_version: int | None


def create_run_wait(
    agent: str | None,
    input: object,
    on_disconnect: str,
    idempotency_key: str,
    **more: Unpack[RunRequest],
) -> "Call[s.RunView]":
    """Answers when the run has ended; white space comes every few seconds until then."""
    body = _live(agent, input, on_disconnect, idempotency_key, more)
    return Call("POST", "/v1/runs/wait", one("RunView"), body=body)


def create_run_stream(
    agent: str | None,
    input: object,
    on_disconnect: str,
    idempotency_key: str,
    **more: Unpack[RunRequest],
) -> Call[object]:
    """The key makes it repeatable: sent again it goes on with the same run."""
    body = _live(agent, input, on_disconnect, idempotency_key, more)
    return Call("POST", "/v1/runs/stream", json.loads, body=body)


def _live(
    agent: str | None, input: object, on_disconnect: str, idempotency_key: str, more: RunRequest
) -> dict[str, object]:
    named = {} if agent is None else {"agent": agent}
    own = {**named, "input": {} if input is None else input, "idempotency_key": idempotency_key}
    return {**own, "on_disconnect": on_disconnect, **more}


def get_run(run_id: str, wait: float = 0.0) -> "Call[s.RunView]":
    return Call("GET", _run(run_id), one("RunView"), {"wait": wait or None}, patience_seconds=wait)


def list_runs(
    *,
    agent: str | None = None,
    assistant: str | None = None,
    state: Sequence[str] = (),
    version: int | None = None,
    session: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> "Call[s.Page[s.RunSummary]]":
    query = {
        "agent": agent,
        "assistant": assistant,
        "state": list(state),
        "version": version,
        "session": session,
    }
    query |= {"limit": limit, "cursor": cursor}
    return Call("GET", "/v1/runs", page("RunSummary"), query)


def cancel_run(run_id: str) -> "Call[s.RunView]":
    return Call("POST", _run(run_id, "/cancel"), one("RunView"))


def run_events(run_id: str, after: int = 0, limit: int = 1000) -> "Call[list[s.EventView]]":
    return Call("GET", _run(run_id, "/events"), listed("EventView"), {"after": after, "limit": limit})


def run_event_stream(run_id: str, on_disconnect: str = "continue") -> Call[object]:
    query = {"on_disconnect": None if on_disconnect == "continue" else on_disconnect}
    return Call("GET", _run(run_id, "/stream"), json.loads, query)


def run_logs(run_id: str, after: int = 0, tail: int | None = None) -> "Call[list[s.LogLine]]":
    return Call("GET", _run(run_id, "/logs"), listed("LogLine"), {"after": after or None, "tail": tail})


def run_attempts(run_id: str) -> "Call[list[s.AttemptView]]":
    return Call("GET", _run(run_id, "/attempts"), listed("AttemptView"))


def run_steps(run_id: str, offset: int = 0, *, outputs: bool = False) -> "Call[list[StepView]]":
    query = {"offset": offset or None, "outputs": outputs or None}
    return Call("GET", _run(run_id, "/steps"), listed("steps.StepView"), query)


def list_questions(
    *,
    agent: str | None = None,
    run: str | None = None,
    all: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> "Call[s.Page[QuestionView]]":
    query = {"agent": agent, "run": run, "all": all or None, "limit": limit, "cursor": cursor}
    return Call("GET", "/v1/questions", page("steps.QuestionView"), query)


def answer(
    run_id: str, given: dict[str, object], *, question: str | None = None, comment: str = ""
) -> "Call[QuestionView]":
    """`given` is {answer: …} or {approved: …}. Not repeatable: the second answer is a conflict."""
    body = {**given, "question": question, "comment": comment}
    return Call("POST", _run(run_id, "/answer"), one("steps.QuestionView"), body=body, repeatable=False)


def list_agents() -> "Call[list[s.AgentView]]":
    return Call("GET", "/v1/agents", listed("AgentView"))


def get_agent(agent: str) -> "Call[s.AgentView]":
    return Call("GET", _agent(agent), one("AgentView"))


def deployments_path(agent: str) -> str:
    return _agent(agent, "/deployments")


def list_deployments(
    agent: str, limit: int = 50, cursor: str | None = None
) -> "Call[s.Page[s.DeploymentView]]":
    query = {"limit": limit, "cursor": cursor}
    return Call("GET", _agent(agent, "/deployments"), page("DeploymentView"), query)


def get_deployment(agent: str, version: int) -> "Call[s.DeploymentView]":
    return Call("GET", _agent(agent, f"/deployments/{version}"), one("DeploymentView"))


def create_deployment(agent: str, message: str, upgrade: bool) -> "Call[s.DeploymentView]":
    """Its body is a file, which drivers stream; sending it twice makes two versions."""
    query = {"message": message or None, "upgrade": upgrade or None}
    return Call("POST", _agent(agent, "/deployments"), one("DeploymentView"), query, repeatable=False)


def deployment_log(agent: str, version: int, after: int = 0) -> "Call[list[s.BuildLogLine]]":
    path = _agent(agent, f"/deployments/{version}/log")
    return Call("GET", path, listed("BuildLogLine"), {"after": after or None})


def deployment_log_stream(agent: str, version: int) -> Call[object]:
    return Call("GET", _agent(agent, f"/deployments/{version}/log"), json.loads)


def diff(agent: str, before: int, after: int) -> "Call[s.DiffView]":
    return Call("GET", _agent(agent, "/diff"), one("DiffView"), {"before": before, "after": after})


def rollback(agent: str, to: int | None, reason: str) -> "Call[s.RollbackView]":
    body = {"to": to, "reason": reason}
    return Call("POST", _agent(agent, "/rollback"), one("RollbackView"), body=body, repeatable=False)


def history(agent: str) -> "Call[list[s.PointerMoveView]]":
    return Call("GET", _agent(agent, "/history"), listed("PointerMoveView"))


def list_secrets(agent: str | None = None) -> "Call[list[s.SecretView]]":
    return Call("GET", "/v1/secrets", listed("SecretView"), {"agent": agent})


def set_secret(name: str, value: str, agent: str | None = None) -> "Call[s.SecretView]":
    return Call("PUT", f"/v1/secrets/{_part(name)}", one("SecretView"), {"agent": agent}, {"value": value})


def delete_secret(name: str, agent: str | None = None) -> Call[None]:
    """Not repeatable: the second time there is nothing to delete."""
    return Call("DELETE", f"/v1/secrets/{_part(name)}", nothing, {"agent": agent}, repeatable=False)


def create_key(
    name: str, role: str, agents: Sequence[str], expires_in_seconds: float | None
) -> "Call[KeyCreated]":
    """Not repeatable: the second time the name is in use."""
    body = {"name": name, "role": role, "agents": list(agents), "expires_in_seconds": expires_in_seconds}
    return Call("POST", "/v1/keys", one("access.KeyCreated"), body=body, repeatable=False)


def list_keys() -> "Call[list[KeyView]]":
    return Call("GET", "/v1/keys", listed("access.KeyView"))


def revoke_key(key_id: str) -> "Call[KeyView]":
    return Call("DELETE", f"/v1/keys/{_part(key_id)}", one("access.KeyView"))


def list_webhooks(
    *,
    run: str | None = None,
    agent: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> "Call[s.Page[DeliveryView]]":
    query = {"run": run, "agent": agent, "state": state, "limit": limit, "cursor": cursor}
    return Call("GET", "/v1/webhooks", page("webhooks.DeliveryView"), query)


def get_webhook(delivery_id: str) -> "Call[DeliveryDetail]":
    return Call("GET", f"/v1/webhooks/{_part(delivery_id)}", one("webhooks.DeliveryDetail"))


def replay_webhook(delivery_id: str) -> "Call[DeliveryView]":
    return Call("POST", f"/v1/webhooks/{_part(delivery_id)}/replay", one("webhooks.DeliveryView"))


def list_audit(
    *,
    actor: str | None = None,
    action: str | None = None,
    agent: str | None = None,
    target: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> "Call[s.Page[AuditView]]":
    """`since` and `until` are ISO 8601 with a time zone."""
    where = {"actor": actor, "action": action, "agent": agent, "target": target, "since": since, "until": until}
    return Call("GET", "/v1/audit", page("access.AuditView"), {**where, "limit": limit, "cursor": cursor})


def collect_garbage(dry_run: bool) -> "Call[s.GcView]":
    return Call("POST", "/v1/gc", one("GcView"), {"dry_run": dry_run}, patience_seconds=600.0)


def sizes() -> "Call[SizesView]":
    return Call("GET", "/v1/sizes", one("sizes.SizesView"), patience_seconds=60.0)


def status() -> "Call[s.StatusView]":
    return Call("GET", "/v1/status", one("StatusView"))


def create_login_link() -> "Call[s.LoginLinkView]":
    return Call("POST", "/v1/login-links", one("LoginLinkView"))


def event_of(frame: Frame) -> "s.EventView":
    return cast("s.EventView", _model("EventView").model_validate_json(frame.data))


def lines_of(frame: Frame) -> "list[s.LogLine]":
    """The log lines of an event; none when it is of another kind."""
    if frame.event != EventKind.LOG:
        return []
    event = json.loads(frame.data)
    return cast("list[s.LogLine]", import_module("ao.wire.lines").log_lines(event["seq"], event["data"]))


def build_log_line_of(frame: Frame) -> "s.BuildLogLine | None":
    """A line of a build log; None for the status that ends it."""
    if frame.event != "line":
        return None
    return cast("s.BuildLogLine", _model("BuildLogLine").model_validate_json(frame.data))


def run_view(value: object) -> "s.RunView":
    return cast("s.RunView", _model("RunView").model_validate(value))


def _model(name: str) -> Any:
    """A class of `ao.wire.schemas`, or as `module.Class` of another module of `ao.wire`."""
    module, _, kind = name.rpartition(".")
    return getattr(import_module(f"ao.wire.{module or 'schemas'}"), kind)


def nothing(_body: bytes) -> None:
    return None


def one(name: str) -> Callable[[bytes], Any]:
    return lambda body: _model(name).model_validate_json(body)


def page(name: str) -> Callable[[bytes], Any]:
    def parse(body: bytes) -> Any:
        return _model("Page")[_model(name)].model_validate_json(body)

    return parse


def listed(name: str) -> Callable[[bytes], Any]:
    return lambda body: [_model(name).model_validate(item) for item in json.loads(body)]


def _run(run_id: str, rest: str = "") -> str:
    return f"/v1/runs/{_part(run_id)}{rest}"


def _agent(agent: str, rest: str = "") -> str:
    return f"/v1/agents/{_part(agent)}{rest}"


def _part(text: str) -> str:
    return quote(text, safe="")

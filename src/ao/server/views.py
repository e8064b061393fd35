"""Records as the API shows them. Values come from the store, so they are not validated again."""

import json
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from ao.clock import to_datetime
from ao.domain.event import Event
from ao.domain.outcome import ErrorInfo
from ao.domain.placement import Amounts
from ao.sandbox import Template
from ao.store.records import Agent, Attempt, Deployment, PointerMove, Run, Secret
from ao.store.worker_records import Worker
from ao.wire import schemas as s


def run_view(run: Run, input: JsonValue, output: JsonValue, why_pending: str | None) -> s.RunView:
    return s.RunView.model_construct(
        id=run.id,
        agent=run.agent,
        environment=run.environment,
        state=run.head.state,
        version=run.version,
        digest=run.digest,
        artifact_digest=run.artifact,
        assistant=run.assistant,
        assistant_version=run.assistant_version,
        pinned=run.pinned,
        input=input,
        output=output,
        error=error_view(run.error),
        attempt=run.head.attempt,
        failures=run.head.failures,
        priority=run.priority,
        actor=run.actor,
        schedule_id=run.schedule_id,
        tick=moment(run.tick_us),
        created_at=to_datetime(run.created_us),
        started_at=moment(run.started_us),
        finished_at=moment(run.finished_us),
        due_at=moment(run.due_us),
        cancel_requested=run.head.cancel_requested,
        why_pending=why_pending,
        concurrency_key=run.concurrency_key,
        lineage=run.lineage,
        fork_of=run.fork_of,
        fork_step=run.fork_step,
        last_seq=run.last_seq,
        session=run.session,
    )


def run_summary(run: Run) -> s.RunSummary:
    return s.RunSummary.model_construct(
        id=run.id,
        agent=run.agent,
        environment=run.environment,
        assistant=run.assistant,
        state=run.head.state,
        version=run.version,
        attempt=run.head.attempt,
        error=run.error.message if run.error else None,
        actor=run.actor,
        created_at=to_datetime(run.created_us),
        started_at=moment(run.started_us),
        finished_at=moment(run.finished_us),
        due_at=moment(run.due_us),
        session=run.session,
    )


def error_view(error: ErrorInfo | None) -> s.ErrorView | None:
    if error is None:
        return None
    return s.ErrorView.model_construct(
        kind=error.kind,
        message=error.message,
        type=error.type,
        traceback=error.traceback,
        hint=error.hint,
        exit_code=error.exit_code,
        signal=error.signal,
        step=error.step,
    )


def attempt_view(attempt: Attempt) -> s.AttemptView:
    return s.AttemptView.model_construct(
        number=attempt.number,
        sandbox=attempt.sandbox,
        started_at=to_datetime(attempt.started_us),
        finished_at=moment(attempt.finished_us),
        kind=attempt.kind,
        error=error_view(attempt.error),
        exit_code=attempt.exit_code,
        max_rss_bytes=attempt.max_rss_bytes,
        cpu_seconds=attempt.cpu_seconds,
    )


def event_view(event: Event) -> s.EventView:
    return s.EventView.model_construct(
        seq=event.seq,
        kind=event.kind,
        at=to_datetime(event.at_us),
        data=cast("dict[str, JsonValue]", event.data),
    )


def deployment_view(
    deployment: Deployment, stable: int | None, template: Template | None = None
) -> s.DeploymentView:
    release = deployment.release
    parts = json.loads(release.parts) if release else {}
    return s.DeploymentView.model_construct(
        id=deployment.id,
        agent=deployment.agent,
        version=deployment.version,
        status=deployment.status,
        digest=release.digest if release else None,
        live=deployment.version == stable,
        message=deployment.message,
        actor=deployment.actor,
        error=deployment.error,
        created_at=to_datetime(deployment.created_us),
        finished_at=moment(deployment.finished_us),
        parts={name: s.PartView.model_validate(part) for name, part in parts.items()},
        config=json.loads(release.config) if release else None,
        warm=warm_view(template),
    )


def warm_view(template: Template | None) -> s.WarmView | None:
    if template is None:
        return None
    return s.WarmView.model_construct(state=template.state, why_cold=template.why_cold or None)


def build_log_line(line: tuple[int, int, str]) -> s.BuildLogLine:
    seq, at_us, text = line
    return s.BuildLogLine.model_construct(seq=seq, at=to_datetime(at_us), text=text)


def agent_view(agent: Agent) -> s.AgentView:
    return s.AgentView.model_construct(
        name=agent.name,
        created_at=to_datetime(agent.created_us),
        stable=agent.stable,
        last_good=agent.last_good,
        latest=agent.latest,
    )


def pointer_move_view(move: PointerMove) -> s.PointerMoveView:
    return s.PointerMoveView.model_construct(
        agent=move.agent,
        environment=move.environment,
        pointer=move.pointer,
        frm=move.frm,
        to=move.to,
        reason=move.reason,
        actor=move.actor,
        at=to_datetime(move.at_us),
    )


def secret_view(secret: Secret) -> s.SecretView:
    return s.SecretView.model_construct(
        name=secret.name,
        agent=secret.agent or None,
        version=secret.version,
        updated_at=to_datetime(secret.updated_us),
        actor=secret.actor,
    )


def worker_view(worker: Worker, now_us: int) -> s.WorkerView:
    return s.WorkerView.model_construct(
        id=worker.id,
        name=worker.name,
        slots=worker.slots,
        running=worker.running,
        sandbox=worker.sandbox,
        started_at=to_datetime(worker.started_us),
        heartbeat_at=to_datetime(worker.heartbeat_us),
        alive=worker.lease_until_us > now_us,
        draining=worker.draining,
        version=worker.version,
        hold=worker.hold,
        labels=dict(worker.offer.labels),
        capacity=_amounts_view(worker.offer.amounts),
        used=_amounts_view(worker.used),
    )


def _amounts_view(amounts: Amounts) -> s.AmountsView:
    return s.AmountsView.model_construct(memory=amounts.memory, cpu=amounts.cpu / 1000, gpu=amounts.gpu)


def moment(instant_us: int | None) -> datetime | None:
    return None if instant_us is None else to_datetime(instant_us)

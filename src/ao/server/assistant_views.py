"""Assistants as the API shows them."""

import json
from collections.abc import Sequence

from ao.clock import to_datetime
from ao.domain.deployment import DEFAULT_ENVIRONMENT
from ao.domain.differences import Difference
from ao.server.views import moment
from ao.store.assistants import Assistant, AssistantMove, AssistantVersion
from ao.wire.assistants import (
    AssistantDiffView,
    AssistantMoveView,
    AssistantVersionView,
    AssistantView,
    DifferenceView,
)


def assistant_view(assistant: Assistant) -> AssistantView:
    latest = assistant.latest
    config = json.loads(latest.config) if latest else {}
    return AssistantView.model_construct(
        name=assistant.name,
        agent=assistant.agent,
        own=assistant.is_agents_own,
        version=latest.version if latest else None,
        newest=assistant.newest,
        environment=latest.environment if latest else DEFAULT_ENVIRONMENT,
        pinned=config.get("version"),
        description=config.get("description", ""),
        config=config,
        created_at=to_datetime(assistant.created_us),
        updated_at=to_datetime(latest.created_us if latest else assistant.created_us),
        archived_at=moment(assistant.archived_us),
    )


def version_view(version: AssistantVersion) -> AssistantVersionView:
    return AssistantVersionView.model_construct(
        assistant=version.name,
        agent=version.agent,
        version=version.version,
        config=json.loads(version.config),
        actor=version.actor,
        message=version.message,
        created_at=to_datetime(version.created_us),
    )


def move_view(move: AssistantMove) -> AssistantMoveView:
    return AssistantMoveView.model_construct(
        seq=move.seq,
        action=move.action.value,
        frm=move.frm,
        to=move.to,
        actor=move.actor,
        message=move.message,
        at=to_datetime(move.at_us),
    )


def diff_view(name: str, before: int, after: int, found: Sequence[Difference]) -> AssistantDiffView:
    changes = [
        DifferenceView.model_construct(path=each.path, before=each.before, after=each.after, diff=each.diff)
        for each in found
    ]
    return AssistantDiffView.model_construct(
        assistant=name, before=before, after=after, same=not changes, changes=changes
    )

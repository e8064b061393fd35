"""`ao.v1.DeadLetterService`: runs that failed for good."""

from collections.abc import Sequence

from pydantic import Field

from ao.domain.errors import Problem
from ao.server.grpc.methods import Method, Service, answer, items
from ao.server.grpc.requests import OfAgent
from ao.server.operations.replays import GroupsQuery, LettersQuery, PurgeQuery, ReplayOperations
from ao.server.roles import Caller
from ao.server.services import Services
from ao.wire.refusals import invalid
from ao.wire.replays import ReplayedView, ReplayMany


class ReplayDeadLetters(OfAgent, ReplayMany):
    all: bool = Field(False, description="All open ones of the agent.")


def dead_letter_service(services: Services) -> Service:
    letters = ReplayOperations(services)

    async def replay(caller: Caller, asked: ReplayDeadLetters) -> Sequence[ReplayedView]:
        """A list cannot be absent here, and an empty one must not mean everything."""
        if [bool(asked.runs), asked.fingerprint is not None, asked.all].count(True) != 1:
            hint = "name runs, or a fingerprint, or set all"
            raise invalid([Problem("runs", "exactly one of runs, fingerprint and all is needed", hint)])
        return await letters.replay_many(caller, asked.agent, asked)

    return {
        "ListDeadLetters": Method("list_dead_letters", LettersQuery, answer(letters.letters)),
        "ListDeadLetterGroups": Method("list_dead_letter_groups", GroupsQuery, items(letters.groups)),
        "ReplayDeadLetters": Method("replay_dead_letters", ReplayDeadLetters, items(replay)),
        "PurgeDeadLetters": Method("purge_dead_letters", PurgeQuery, answer(letters.purge)),
    }

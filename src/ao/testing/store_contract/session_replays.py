"""Replays in sessions: where they begin, and that nothing is written twice."""

from dataclasses import replace

import pytest

from ao.domain.errors import Conflict, NotFound
from ao.domain.run import RunState
from ao.domain.session import Overlap, SessionUse
from ao.ids import RunId, WorkerId
from ao.store.records import Claim, Fork
from ao.store.sessions import NewSession, Opened, SessionEdit
from ao.testing.store_contract.harness import Harness, failed
from ao.testing.store_contract.sessions import KEY, SessionRig, message, step_end, write


class SessionReplays(SessionRig):
    async def dies(self, harness: Harness, worker_id: WorkerId) -> RunId:
        """A run that fails after its step `one` has said `a`."""
        claim = await self.begin(harness, worker_id)
        await harness.store.runs.append(claim.run_id, claim.fence, [step_end("one", write("a", step="one"))])
        await self.end(harness, claim, None, failed(permanent=True))
        return claim.run_id

    async def replays(self, harness: Harness, worker_id: WorkerId, of: RunId) -> tuple[Claim, Opened]:
        await harness.store.runs.create(self.new_run(harness, fork=Fork(of)))
        claim = await harness.claim_one(worker_id)
        return claim, await harness.store.sessions.open(claim.run_id, claim.fence)

    async def test_a_replay_goes_on_where_the_failed_run_began(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        again, opened = await self.replays(harness, worker_id, await self.dies(harness, worker_id))
        assert (opened.base.version, list(opened.writes)) == (1, ["one"])
        await self.end(harness, again, write("a", "b"))
        assert await self.contents(harness) == ["a", "b"]

    async def test_so_does_a_replay_of_a_replay_that_has_written_nothing(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        first, _ = await self.replays(harness, worker_id, await self.dies(harness, worker_id))
        await self.end(harness, first, None, failed(permanent=True))
        again, opened = await self.replays(harness, worker_id, first.run_id)
        assert (opened.base.version, list(opened.writes)) == (1, ["one"])
        await self.end(harness, again, write("a", "b"))
        assert await self.contents(harness) == ["a", "b"]

    async def test_what_is_there_is_not_written_again_when_others_have_written_since(
        self, harness: Harness
    ) -> None:
        worker_id = await self.ready(harness)
        source = await self.dies(harness, worker_id)
        await self.end(harness, await self.begin(harness, worker_id), write("b", state='{"n":2}'))
        await harness.store.sessions.edit(SessionEdit(KEY, "key:dev", 3, messages=[message("hand")]))
        again, opened = await self.replays(harness, worker_id, source)
        assert (opened.base.version, opened.base.messages, opened.writes) == (4, 3, {})
        await harness.store.runs.append(again.run_id, again.fence, [step_end("two", write("c", step="two"))])
        await self.end(harness, again, None, failed())
        await harness.let_retries_be_due(worker_id)
        later = await harness.claim_one(worker_id)
        opened = await harness.store.sessions.open(later.run_id, later.fence)
        assert (opened.base.version, list(opened.writes)) == (4, ["two"])
        await self.end(harness, later, None, failed(permanent=True))
        last, opened = await self.replays(harness, worker_id, again.run_id)
        assert (opened.base.version, list(opened.writes)) == (4, ["two"])
        await self.end(harness, last, write("c", "d"))
        assert await self.contents(harness) == ["a", "b", "hand", "c", "d"]

    async def test_what_was_taken_back_since_is_written_again(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        source = await self.dies(harness, worker_id)
        await harness.store.sessions.restore(KEY, 1, "key:dev", force=False)
        again, opened = await self.replays(harness, worker_id, source)
        assert (opened.base.version, list(opened.writes)) == (3, ["one"])
        await self.end(harness, again, write("a", "b"))
        assert await self.contents(harness) == ["a", "b"]

    async def test_a_replay_is_rolled_back_to_what_was_there_when_it_began(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        source = await self.dies(harness, worker_id)
        for said in ([step_end("two", write("b", first=1, step="two"))], []):
            again, _ = await self.replays(harness, worker_id, source)
            await harness.store.runs.append(again.run_id, again.fence, said)
            await harness.store.runs.create(self.new_run(harness, overlap=Overlap.ROLLBACK))
            await self.end(harness, again, None, failed())
            assert (await harness.store.runs.get(again.run_id)).head.state is RunState.CANCELLED
            assert await self.contents(harness) == ["a"]
            await self.end(harness, await harness.claim_one(worker_id), None)

    async def test_recorded_steps_stay_with_the_session_that_was_there(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        fork = Fork(await self.dies(harness, worker_id))
        known_us = (await harness.store.runs.get(fork.of)).created_us
        run = replace(self.new_run(harness, fork=fork), session=SessionUse(KEY.id, known_us=known_us))
        await harness.store.sessions.delete(KEY, "key:dev", force=False)
        with pytest.raises(Conflict, match="was deleted"):
            await harness.store.runs.create(run)
        with pytest.raises(NotFound):
            await harness.store.sessions.get(KEY)
        await harness.store.sessions.create(NewSession(KEY, "key:dev"))
        with pytest.raises(Conflict, match="was deleted"):
            await harness.store.runs.create(run)
        anew = replace(run, session=SessionUse(KEY.id), fork=Fork(fork.of, with_steps=False))
        await harness.store.runs.create(anew)
        claim = await harness.claim_one(worker_id)
        opened = await harness.store.sessions.open(claim.run_id, claim.fence)
        assert (opened.base.version, opened.writes) == (1, {})

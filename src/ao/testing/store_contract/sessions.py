"""Sessions: versions of what persists between runs, written by them and by people."""

import asyncio
from dataclasses import replace

import pytest

from ao.domain.errors import Conflict, NotFound, SessionBusy, StaleWrite
from ao.domain.event import EventKind, NewEvent
from ao.domain.outcome import AttemptOutcome, OutcomeKind
from ao.domain.payload import Payload
from ao.domain.question import Pause
from ao.domain.run import RunState
from ao.domain.session import KEPT_VERSIONS, Change, NewMessage, Overlap, SessionUse, SessionWrite, Workspace
from ao.domain.step import Step, StepKind, StepState
from ao.ids import RunId, WorkerId
from ao.store.gates import Gate, Hold
from ao.store.records import Claim, FinishAttempt, Finished, Fork, NewRun, RunFilter
from ao.store.sessions import NewSession, SessionEdit, SessionFilter, SessionKey
from ao.testing.store_contract.harness import COMPLETED, LEASE_US, NO_JITTER, Harness, digest, failed
from ao.testing.store_contract.pausing import asked

KEY = SessionKey("support", "chat-1")


def text(value: str) -> Payload:
    return Payload(f'"{value}"')


def message(content: str, role: str = "user") -> NewMessage:
    return NewMessage(role, text(content))


def write(*contents: str, first: int = 0, state: str | None = None, step: str = "") -> SessionWrite:
    return SessionWrite(
        first,
        [message(content) for content in contents],
        None if state is None else Payload(state),
        step=step,
        writes=Payload('{"messages":[]}') if step else None,
    )


def step_end(path: str, what: SessionWrite) -> NewEvent:
    step = Step(path, None, path, None, StepKind.STEP, StepState.COMPLETED, 1, 1, 2, "", False, "1")
    return NewEvent(EventKind.STEP_COMPLETED, 2, {"attempt": 1, "path": path}, step, what)


class SessionRig:
    """The small steps that tests of sessions are made of."""

    def new_run(
        self,
        harness: Harness,
        id: str = KEY.id,
        overlap: Overlap = Overlap.ENQUEUE,
        fork: Fork | None = None,
    ) -> NewRun:
        gates = [Gate(f"session:{id}", 1, Hold.OPEN)]
        return replace(harness.new_run(), session=SessionUse(id, overlap), fork=fork, gates=gates)

    async def begin(self, harness: Harness, worker_id: WorkerId) -> Claim:
        """A run of the session in its first attempt, opened."""
        await harness.store.runs.create(self.new_run(harness))
        claim = await harness.claim_one(worker_id)
        await harness.store.sessions.open(claim.run_id, claim.fence)
        return claim

    async def ready(self, harness: Harness) -> WorkerId:
        await harness.deploy()
        return await harness.register()

    async def end(
        self, harness: Harness, claim: Claim, what: SessionWrite | None, outcome: AttemptOutcome = COMPLETED
    ) -> Finished:
        output = None if outcome.output is None else Payload(outcome.output)
        report = FinishAttempt(claim.run_id, claim.fence, NO_JITTER, 0.0, output, what)
        return await harness.store.runs.finish(report, outcome, [])

    async def contents(self, harness: Harness, key: SessionKey = KEY, version: int | None = None) -> list[str]:
        number = (await harness.store.sessions.get(key)).version if version is None else version
        found = await harness.store.sessions.messages(key, number, 0, 1000)
        assert [each.seq for each in found] == list(range(1, len(found) + 1))
        return [(each.content.inline or "").strip('"') for each in found]

    async def changes(self, harness: Harness, key: SessionKey = KEY) -> list[tuple[int, Change, str]]:
        found = await harness.store.sessions.history(key, None, 1000)
        return [(each.version, each.change, " ".join(each.changed)) for each in found]


class SessionRuns(SessionRig):
    async def test_a_run_makes_its_session_and_the_next_one_finds_what_it_left(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        assert claim.session == KEY.id
        run = await harness.store.runs.get(claim.run_id)
        assert run.session == KEY.id
        session = await harness.store.sessions.get(KEY)
        assert (session.version, session.messages, session.state) == (1, 0, Payload("{}"))
        assert (session.active, session.open_runs) == (claim.run_id, 1)
        await self.end(harness, claim, write("a", "b", state='{"n":1}'))
        session = await harness.store.sessions.get(KEY)
        assert (session.version, session.messages, session.state) == (2, 2, Payload('{"n":1}'))
        assert (session.active, session.open_runs) == (None, 0)
        second = await self.begin(harness, worker_id)
        opened = await harness.store.sessions.open(second.run_id, second.fence)
        assert (opened.key, opened.base.version, opened.base.messages) == (KEY, 2, 2)
        await self.end(harness, second, write("c"))
        assert await self.contents(harness) == ["a", "b", "c"]
        found = await harness.store.sessions.messages(KEY, 3, 2, 10)
        assert [(each.seq, each.run_id, each.version) for each in found] == [(3, second.run_id, 3)]
        assert await self.changes(harness) == [
            (3, Change.RUN, "messages"), (2, Change.RUN, "state messages"), (1, Change.CREATED, "")
        ]  # fmt: skip
        history = await harness.store.sessions.history(KEY, 3, 1)
        assert [(each.version, each.run_id, each.actor) for each in history] == [(2, claim.run_id, "key:dev")]

    async def test_what_a_step_writes_is_there_with_it_and_once(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        first = step_end("one", write("a", state='{"n":1}', step="one"))
        await harness.store.runs.append(claim.run_id, claim.fence, [first])
        await harness.store.runs.append(claim.run_id, claim.fence, [first])  # its answer was lost
        assert await self.contents(harness) == ["a"]
        assert (await harness.store.sessions.get(KEY)).version == 2
        await self.end(harness, claim, None, failed())
        await harness.let_retries_be_due(worker_id)
        again = await harness.claim_one(worker_id)
        opened = await harness.store.sessions.open(again.run_id, again.fence)
        assert (opened.base.version, opened.base.messages, dict(opened.writes)) == (
            1, 0, {"one": Payload('{"messages":[]}')}
        )  # fmt: skip
        await self.end(harness, again, write("a", "b", state='{"n":1}'))
        assert await self.contents(harness) == ["a", "b"]
        assert (await self.changes(harness))[0] == (3, Change.RUN, "messages")

    async def test_the_latest_attempt_takes_back_what_it_did_not_do_again(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        await harness.store.runs.append(
            claim.run_id, claim.fence, [step_end("s", write("a", "x", "y", step="s"))]
        )
        await self.end(harness, claim, None, failed())
        await harness.let_retries_be_due(worker_id)
        again = await harness.claim_one(worker_id)
        await harness.store.sessions.open(again.run_id, again.fence)
        await self.end(harness, again, write("a", "b"))
        assert await self.contents(harness) == ["a", "b"]
        assert await self.contents(harness, version=2) == ["a", "x", "y"]

    async def test_a_run_that_fails_leaves_the_session_as_it_was(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        finished = await self.end(harness, claim, write("a"), failed(permanent=True))
        assert finished.state is RunState.FAILED
        session = await harness.store.sessions.get(KEY)
        assert (session.version, session.messages, session.active) == (1, 0, None)

    async def test_a_pause_keeps_what_was_written_and_holds_the_session(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        snapshot = Workspace(digest("list"), [digest("pack")], 2, 10)
        what = SessionWrite(0, [message("a")], None, snapshot)
        paused = AttemptOutcome(OutcomeKind.PAUSED, pause=Pause([asked()], None))
        await self.end(harness, claim, what, paused)
        session = await harness.store.sessions.get(KEY)
        assert (session.messages, session.workspace, session.active) == (1, snapshot, claim.run_id)
        with pytest.raises(SessionBusy) as refused:
            await harness.store.runs.create(self.new_run(harness, overlap=Overlap.REJECT))
        assert refused.value.details["run_id"] == claim.run_id
        assert {digest("list"), digest("pack")} <= set((await harness.store.deployments.in_use())[1])

    async def test_a_write_of_an_old_owner_changes_nothing(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        await harness.store.runs.hand_back(claim.run_id, claim.fence, [])
        await harness.claim_one(worker_id)
        with pytest.raises(StaleWrite):
            await harness.store.runs.append(claim.run_id, claim.fence, [step_end("s", write("a", step="s"))])
        with pytest.raises(StaleWrite):
            await harness.store.sessions.open(claim.run_id, claim.fence)
        assert await self.contents(harness) == []

    async def test_of_runs_that_refuse_company_one_is_taken(self, harness: Harness) -> None:
        await harness.deploy()
        stores = (harness.store, harness.replica)
        asked = [self.new_run(harness, overlap=Overlap.REJECT) for _ in range(6)]
        given = await asyncio.gather(
            *(stores[number % 2].runs.create(run) for number, run in enumerate(asked)), return_exceptions=True
        )
        assert sorted(isinstance(each, SessionBusy) for each in given) == [False, *[True] * 5]

    @pytest.mark.parametrize("overlap", [Overlap.INTERRUPT, Overlap.ROLLBACK])
    async def test_a_new_run_ends_the_others(self, harness: Harness, overlap: Overlap) -> None:
        worker_id = await self.ready(harness)
        before = await self.begin(harness, worker_id)
        await self.end(harness, before, write("kept", state='{"n":1}'))
        claim = await self.begin(harness, worker_id)
        await harness.store.runs.append(
            claim.run_id, claim.fence, [step_end("s", write("half", state="{}", step="s"))]
        )
        waiting = (await harness.store.runs.create(self.new_run(harness))).run_id
        created = await harness.store.runs.create(self.new_run(harness, overlap=overlap))
        assert set(created.cancelled) == {claim.run_id, waiting}
        assert (await harness.store.runs.get(waiting)).head.state is RunState.CANCELLED
        assert (await harness.store.runs.get(claim.run_id)).head.cancel_requested
        cancelled = AttemptOutcome(OutcomeKind.CANCELLED)
        assert (await self.end(harness, claim, None, cancelled)).state is RunState.CANCELLED
        session = await harness.store.sessions.get(KEY)
        assert (session.active, session.open_runs) == (created.run_id, 1)
        if overlap is Overlap.INTERRUPT:
            assert (session.state, await self.contents(harness)) == (Payload("{}"), ["kept", "half"])
            return
        assert (session.state, await self.contents(harness)) == (Payload('{"n":1}'), ["kept"])
        assert (await self.changes(harness))[0] == (4, Change.ROLLED_BACK, "state messages")
        assert await self.contents(harness, version=3) == ["kept", "half"]

    async def test_a_rollback_wins_over_a_result_that_comes_first(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        await harness.store.runs.append(claim.run_id, claim.fence, [step_end("s", write("half", step="s"))])
        await harness.store.runs.create(self.new_run(harness, overlap=Overlap.ROLLBACK))
        assert (await self.end(harness, claim, write("half", "all"))).state is RunState.COMPLETED
        assert await self.contents(harness) == []

    async def test_a_paused_run_is_rolled_back_at_once(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        await self.end(
            harness, claim, write("a"), AttemptOutcome(OutcomeKind.PAUSED, pause=Pause([asked()], None))
        )
        await harness.store.runs.create(self.new_run(harness, overlap=Overlap.ROLLBACK))
        assert (await harness.store.runs.get(claim.run_id)).head.state is RunState.CANCELLED
        assert await self.contents(harness) == []

    async def test_runs_are_listed_by_session(self, harness: Harness) -> None:
        await harness.deploy()
        await harness.submit()
        first = (await harness.store.runs.create(self.new_run(harness))).run_id
        await harness.store.runs.create(self.new_run(harness, id="other"))
        found = await harness.store.runs.list(RunFilter(agent="support", session=KEY.id), 10)
        assert [run.id for run in found] == [first]


class Sessions(SessionRig):
    async def create(self, harness: Harness, id: str = KEY.id, *contents: str) -> SessionKey:
        key = SessionKey("support", id)
        new = NewSession(key, "key:dev", Payload('{"n":1}'), [message(each) for each in contents])
        created = await harness.store.sessions.create(new)
        assert created == await harness.store.sessions.get(key)
        return key

    async def test_a_session_is_made_once(self, harness: Harness) -> None:
        key = await self.create(harness, KEY.id, "a")
        with pytest.raises(Conflict, match="exists already"):
            await self.create(harness)
        assert await self.contents(harness, key) == ["a"]
        with pytest.raises(NotFound, match="no session other of support"):
            await harness.store.sessions.get(SessionKey("support", "other"))

    async def test_an_edit_counts_only_on_what_it_was_made_from(self, harness: Harness) -> None:
        key = await self.create(harness, KEY.id, "a")
        edited = await harness.store.sessions.edit(
            SessionEdit(key, "key:anna", 1, state=Payload('{"n":2}'), messages=[message("b")])
        )
        assert (edited.version, edited.messages, edited.state) == (2, 2, Payload('{"n":2}'))
        with pytest.raises(Conflict, match="has version 2, not 1 any more"):
            await harness.store.sessions.edit(SessionEdit(key, "key:anna", 1, state=Payload("{}")))
        assert await self.contents(harness) == ["a", "b"]

    async def test_edits_at_once_are_not_mixed(self, harness: Harness) -> None:
        key = await self.create(harness)
        stores = (harness.store, harness.replica)
        given = await asyncio.gather(
            *(
                stores[number % 2].sessions.edit(SessionEdit(key, "key:a", 1, messages=[message(str(number))]))
                for number in range(6)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Conflict) for each in given) == 5
        assert len(await self.contents(harness)) == 1

    async def test_an_open_run_keeps_people_out_unless_they_insist(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        edit = SessionEdit(KEY, "key:anna", 1, state=Payload('{"n":2}'))
        with pytest.raises(SessionBusy):
            await harness.store.sessions.edit(edit)
        with pytest.raises(SessionBusy):
            await harness.store.sessions.restore(KEY, 1, "key:anna", force=False)
        with pytest.raises(SessionBusy):
            await harness.store.sessions.delete(KEY, "key:anna", force=False)
        forced = SessionEdit(KEY, "key:anna", 1, force=True, messages=[message("mine")])
        assert (await harness.store.sessions.edit(forced)).version == 2
        await self.end(harness, claim, write("a"))
        assert await self.contents(harness) == ["a"]  # what the run says comes after the version it began with
        assert await self.contents(harness, version=2) == ["mine"]

    async def test_an_earlier_version_comes_back_and_so_does_a_later_one(self, harness: Harness) -> None:
        key = await self.create(harness, KEY.id, "a")
        for number, content in enumerate("bc", 1):
            await harness.store.sessions.edit(SessionEdit(key, "key:dev", number, messages=[message(content)]))
        restored = await harness.store.sessions.restore(key, 1, "key:anna", force=False)
        assert (restored.version, restored.messages) == (4, 1)
        await harness.store.sessions.edit(SessionEdit(key, "key:dev", 4, messages=[message("z")]))
        assert await self.contents(harness) == ["a", "z"]
        await harness.store.sessions.restore(key, 3, "key:anna", force=False)
        assert await self.contents(harness) == ["a", "b", "c"]
        assert [await self.contents(harness, version=number) for number in range(1, 7)] == [
            ["a"], ["a", "b"], ["a", "b", "c"], ["a"], ["a", "z"], ["a", "b", "c"]
        ]  # fmt: skip
        with pytest.raises(NotFound, match="no version 9"):
            await harness.store.sessions.restore(key, 9, "key:anna", force=False)

    async def test_a_copy_lives_its_own_life(self, harness: Harness) -> None:
        key = await self.create(harness, KEY.id, "a")
        await harness.store.sessions.edit(SessionEdit(key, "key:dev", 1, messages=[message("b")]))
        target = SessionKey("support", "chat-2")
        copied = await harness.store.sessions.copy(key, 1, target, "key:anna")
        assert (copied.version, copied.messages, copied.state) == (1, 1, Payload('{"n":1}'))
        await harness.store.sessions.edit(SessionEdit(target, "key:dev", 1, messages=[message("c")]))
        assert await self.contents(harness, target) == ["a", "c"]
        assert await self.contents(harness) == ["a", "b"]
        with pytest.raises(Conflict):
            await harness.store.sessions.copy(key, None, target, "key:anna")
        with pytest.raises(NotFound):
            await harness.store.sessions.copy(target, 7, SessionKey("support", "chat-3"), "key:anna")

    async def test_sessions_are_listed_last_used_first_in_pages(self, harness: Harness) -> None:
        for number in range(5):
            harness.advance(1)
            await self.create(harness, f"s{number}")
        await harness.store.sessions.create(NewSession(SessionKey("other", "s0"), "key:dev"))
        pages, before = [], None
        while True:
            page = await harness.store.sessions.list(SessionFilter(agent="support", before=before), 2)
            if not page:
                break
            pages.append([session.key.id for session in page])
            before = (page[-1].used_us, page[-1].key.agent, page[-1].key.id)
        assert pages == [["s4", "s3"], ["s2", "s1"], ["s0"]]
        assert len(await harness.store.sessions.list(SessionFilter(agents=["other", "third"]), 10)) == 1
        assert {session.state for session in await harness.store.sessions.list(SessionFilter(), 10)} == {None}

    async def test_deleting_by_force_cancels_and_nothing_comes_back(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        waiting = (await harness.store.runs.create(self.new_run(harness))).run_id
        runs = await harness.store.sessions.delete(KEY, "key:anna", force=True)
        assert set(runs) == {claim.run_id, waiting}
        await self.create(harness, KEY.id, "new")
        await harness.store.runs.append(claim.run_id, claim.fence, [step_end("s", write("late", step="s"))])
        assert (await self.end(harness, claim, write("late"))).state is RunState.COMPLETED
        assert await self.contents(harness) == ["new"]
        await harness.store.sessions.delete(KEY, "key:anna", force=False)
        with pytest.raises(NotFound):
            await harness.store.sessions.delete(KEY, "key:anna", force=False)

    async def test_old_versions_go_and_those_that_a_run_needs_stay(self, harness: Harness) -> None:
        worker_id = await self.ready(harness)
        claim = await self.begin(harness, worker_id)
        for number in range(KEPT_VERSIONS + 5):
            what = write(str(number), first=number, step=f"s{number}")
            await harness.store.runs.append(claim.run_id, claim.fence, [step_end(f"s{number}", what)])
        assert len(await self.changes(harness)) == KEPT_VERSIONS + 6
        await self.end(harness, claim, None)
        harness.advance(1)
        await harness.store.sessions.restore(KEY, 1, "key:dev", force=False)
        assert len(await self.changes(harness)) == KEPT_VERSIONS
        assert await self.contents(harness) == []

    async def test_sessions_that_nobody_uses_go(self, harness: Harness) -> None:
        await self.ready(harness)
        await self.create(harness, "old", "a")
        busy: RunId = (await harness.store.runs.create(self.new_run(harness, id="busy"))).run_id
        harness.advance(3600)
        await self.create(harness, "new")
        before_us = await harness.store.schedules.now_us() - LEASE_US
        assert await harness.store.sessions.drop_unused(before_us, 10) == 1
        left = await harness.store.sessions.list(SessionFilter(), 10)
        assert [(session.key.id, session.active) for session in left] == [("new", None), ("busy", busy)]

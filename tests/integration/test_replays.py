"""Failed runs are done again, and old ones from the middle, without doing again what is recorded."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import ACTOR, Local, local_platform

from ao.control.retention import remove_old
from ao.domain.errors import Conflict, NotFound
from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.dead_letter_records import DeadLetterFilter
from ao.store.records import Run
from ao.store.retention import Kept
from ao.store.webhooks import DeliveryFilter

FUNCTION = 'entrypoint = "agent:work"\nretries = 0\n'


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    async with local_platform(tmp_path, {"AO_HEARTBEAT_SECONDS": "0.2", "AO_WARM": "off"}) as local:
        yield local


WORKS = """
from ao_runner import step
def say(text):
    print("did", text)
    return text
def work(task):
    a = step.run("a", say, "a")
    b = step.run("b", say, "b")
    {third}
    return [a, b, c]
"""
BROKEN = WORKS.format(third='c = step.run("c", lambda: 1 / 0)')
FIXED = WORKS.format(third='c = step.run("c", say, "c")')
CHANGED = FIXED.replace('say, "b"', 'say, "B"')


async def fork(ao: Local, run_id: RunId, step: str, version: int | None = None) -> Run:
    made = await ao.platform.services.replays.fork(run_id, step, version, ACTOR)
    return await ao.result(made.run.id)


async def replay(ao: Local, run_id: RunId, *, scratch: bool = False, version: int | None = None) -> Run:
    made = await ao.platform.services.replays.replay(run_id, scratch=scratch, version=version, actor=ACTOR)
    return await ao.result(made.run.id)


async def test_a_replay_on_the_fixed_version_goes_on_from_the_last_checkpoint(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    broken = await ao.run("agent")
    assert broken.head.state is RunState.FAILED
    assert broken.error is not None
    assert broken.error.step == "c"
    await ao.deploy("agent", {"agent.py": FIXED}, toml=FUNCTION)
    same = await replay(ao, broken.id)
    assert (same.head.state, same.version) == (RunState.FAILED, 1)
    fixed = await replay(ao, broken.id, version=2)
    assert await ao.output(fixed) == ["a", "b", "c"]
    assert await ao.lines(fixed.id) == ["did c"]
    assert (fixed.lineage, fixed.fork_of, fixed.version) == (broken.id, broken.id, 2)
    scratch = await replay(ao, broken.id, scratch=True, version=2)
    assert await ao.lines(scratch.id) == ["did a", "did b", "did c"]


async def test_a_replay_where_steps_no_longer_match_is_refused_before_it_does_anything(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    broken = await ao.run("agent")
    await ao.deploy("agent", {"agent.py": CHANGED}, toml=FUNCTION)
    refused = await replay(ao, broken.id, version=2)
    assert refused.error is not None
    assert (refused.error.type, await ao.lines(refused.id)) == ("StepDiverged", [])


async def test_code_without_a_recorded_step_is_refused_when_it_is_asked_for(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    broken = await ao.run("agent")
    await ao.deploy("agent", {"agent.py": FIXED.replace('"b", say, "b"', '"second", say, "x"')}, toml=FUNCTION)
    replays = ao.platform.services.replays
    words = f"v2 has no step 'b' any more, which run {broken.id} has recorded on v1"
    for ask in (replay(ao, broken.id, version=2), fork(ao, broken.id, "c", version=2)):
        with pytest.raises(Conflict, match=words):
            await ask
    (done,) = await replays.replay_all([broken.id], scratch=False, version=2, actor=ACTOR)
    assert words in str(done.error)
    assert await ao.output(await fork(ao, broken.id, "b", version=2)) == ["a", "x", "c"]
    assert await ao.output(await replay(ao, broken.id, scratch=True, version=2)) == ["a", "x", "c"]


async def test_a_fork_begins_at_a_step_of_any_past_run(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": FIXED}, toml=FUNCTION)
    await ao.deploy("agent", {"agent.py": CHANGED}, toml=FUNCTION)
    done = await ao.run("agent", version=1)
    again = await fork(ao, done.id, "b")
    assert await ao.output(again) == ["a", "b", "c"]
    assert await ao.lines(again.id) == ["did b", "did c"]
    other = await fork(ao, done.id, "b", version=2)
    assert (await ao.output(other), other.fork_step) == (["a", "B", "c"], "b")
    assert await ao.lines(other.id) == ["did B", "did c"]
    with pytest.raises(NotFound) as caught:
        await fork(ao, done.id, "x")
    assert caught.value.hint == "it has a, b, c"


async def test_many_are_replayed_and_one_that_cannot_be_stops_nobody(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    failed = [(await ao.run("agent")).id for _ in range(2)]
    await ao.deploy("agent", {"agent.py": FIXED}, toml=FUNCTION)
    done = await ao.run("agent")
    replays = ao.platform.services.replays
    (group,) = await replays.groups(DeadLetterFilter(), 10)
    assert (group.count, group.title) == (2, "ZeroDivisionError: division by zero")
    made = await replays.replay_all([*failed, done.id], scratch=False, version=2, actor=ACTOR)
    for each in made[:2]:
        assert each.replay is not None
        assert await ao.output(await ao.result(each.replay)) == ["a", "b", "c"]
    assert isinstance(made[2].error, NotFound)
    again = await replays.replay_all(failed, scratch=False, version=2, actor=ACTOR)
    assert ["was replayed already, as" in str(each.error) for each in again] == [True, True]
    assert await replays.letters(DeadLetterFilter(), 10) == []
    assert len(await replays.letters(DeadLetterFilter(open_only=False), 10)) == 2


async def test_replays_and_forks_tell_their_end_to_whom_the_first_one_did(ao: Local) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    await ao.platform.services.secrets.set("agent", "SIGNING", secret, ACTOR)
    toml = f'{FUNCTION}queue_timeout = "1h"\n'
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=toml)
    told = {"url": "https://example.invalid/hook", "secret": "SIGNING"}
    first = await ao.run("agent", webhook=told, concurrency_key="k", priority=3)
    for made in (await replay(ao, first.id), await fork(ao, first.id, "b")):
        (delivery,) = await ao.platform.store.webhooks.list(DeliveryFilter(run_id=made.id), 10)
        assert (delivery.url, delivery.secret) == (told["url"], told["secret"])
        assert (made.concurrency_key, made.priority) == ("k", 3)


TICKED = """
import os
from ao_runner import step
def work(task):
    step.run("day", str, os.environ["AO_SCHEDULED_AT"])
    raise LookupError(os.environ["AO_SCHEDULED_AT"])
"""


async def test_replays_and_forks_of_a_scheduled_run_know_its_tick(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": TICKED}, toml=f'{FUNCTION}cron = "0 0 1 1 *"\n')
    first = await ao.result(await ao.platform.schedules.trigger("agent", "cron", ACTOR))
    assert first.tick_us is not None
    assert "20" in str(first.error)
    for made in (await replay(ao, first.id), await fork(ao, first.id, "day")):
        assert (made.tick_us, made.schedule_id, made.error) == (first.tick_us, None, first.error)


IN_DOUBT = """
from ao_runner import step
def pay():
    print("paying")
    raise OSError("no answer")
def work(task): return step.run("pay", pay, once=True)
"""


async def test_a_replay_is_as_much_in_doubt_as_its_run_and_a_fork_decides(ao: Local) -> None:
    await ao.deploy("pays", {"agent.py": IN_DOUBT}, toml=FUNCTION)
    failed = await ao.run("pays")
    again = await replay(ao, failed.id)
    assert again.error is not None
    assert (again.error.type, await ao.lines(again.id)) == ("StepInDoubt", [])
    decided = await fork(ao, failed.id, "pay")
    assert await ao.lines(decided.id) == ["paying"]


async def test_a_replay_on_other_code_warns_and_on_the_same_does_not(ao: Local) -> None:
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=f"{FUNCTION}timeout = 9\n")
    await ao.deploy("agent", {"agent.py": FIXED}, toml=FUNCTION)
    broken = await ao.run("agent", version=1)
    replays = ao.platform.services.replays
    for version, scratch, warns in ((None, False, 0), (2, False, 0), (3, False, 1), (3, True, 0)):
        made = await replays.replay(broken.id, scratch=scratch, version=version, actor=ACTOR)
        assert len(made.warnings) == warns, (version, scratch)
        await ao.result(made.run.id)
    (warning,) = (await replays.fork(broken.id, "b", 3, ACTOR)).warnings
    assert warning.startswith("v3 has other code than v1, which recorded the steps")


async def test_what_was_forgotten_is_replayed_from_the_start_only(ao: Local) -> None:
    """Otherwise its steps would be executed again without a word."""
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    await ao.deploy("agent", {"agent.py": FIXED}, toml=FUNCTION)
    failed, completed = await ao.run("agent", version=1), await ao.run("agent")
    replays, store = ao.platform.services.replays, ao.platform.store
    assert await replays.purge(DeadLetterFilter(["agent"]), 0.000001, ACTOR) == 1
    await remove_old(store, Kept(history_us=1, audit_us=None))
    for run in (failed, completed):
        with pytest.raises(Conflict, match="it can only be replayed from the start"):
            await replay(ao, run.id)
        assert (await replay(ao, run.id, scratch=True)).head.state.terminal


async def test_a_purge_takes_all_that_are_old_however_many(ao: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ao.control.replays.PURGED_AT_ONCE", 2)
    await ao.deploy("agent", {"agent.py": BROKEN}, toml=FUNCTION)
    for _ in range(3):
        await ao.run("agent")
    replays = ao.platform.services.replays
    assert await replays.purge(DeadLetterFilter(), 0.000001, ACTOR) == 3
    assert await replays.letters(DeadLetterFilter(open_only=False), 10) == []


async def test_a_run_that_goes_on_is_not_replayed(ao: Local) -> None:
    await ao.deploy(
        "asks", {"agent.py": "from ao_runner import ask\ndef work(t): return ask('?')"}, toml=FUNCTION
    )
    run_id = await ao.submit("asks")
    await ao.until_state(run_id, RunState.PAUSED)
    with pytest.raises(Conflict, match="is paused: it goes on by itself"):
        await replay(ao, run_id)
    await ao.platform.services.runs.cancel(run_id, ACTOR)


async def test_a_question_that_nobody_answered_is_asked_again_by_a_replay(ao: Local) -> None:
    source = "from ao_runner import ask\ndef work(t): return ask('?', timeout=0.05)"
    await ao.deploy("asks", {"agent.py": source}, toml=FUNCTION)
    over = await ao.run("asks")
    assert over.head.state is RunState.FAILED
    made = await ao.platform.services.replays.replay(over.id, scratch=False, version=None, actor=ACTOR)
    again = await ao.result(made.run.id)
    assert [event.kind.value for event in await ao.events(again.id)].count("question_asked") == 1

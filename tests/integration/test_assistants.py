"""Runs of assistants that wait while what is live changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.local import ACTOR, Local, local_platform

from ao.domain.assistant import AssistantConfig
from ao.domain.errors import InvalidInput
from ao.domain.event import EventKind
from ao.domain.run import RunState
from ao.ids import RunId
from ao.wire.schemas import RunCreate

FUNCTION = 'entrypoint = "agent:work"\n'
PROMPT = "prompts/tone.md"


def agent(version: int) -> dict[str, str]:
    source = f"import ao_runner\ndef work(task): return [{version}, ao_runner.prompt('{PROMPT}')]\n"
    return {"agent.py": source, PROMPT: "kind"}


@pytest.fixture
async def ao(tmp_path: Path) -> AsyncIterator[Local]:
    """No worker yet."""
    async with local_platform(tmp_path, {"AO_WARM": "off"}, worker=False) as local:
        await local.deploy("support", agent(1), toml=FUNCTION)
        config = AssistantConfig.model_validate({"overrides": {"prompts": {PROMPT: "dry"}}})
        await local.platform.services.assistants.create("dry", "support", config, "", ACTOR)
        yield local


async def submit(ao: Local) -> RunId:
    run, _ = await ao.platform.services.runs.create(RunCreate(assistant="dry"), ACTOR)
    return run.id


async def test_a_run_takes_its_overrides_to_what_is_live_when_it_starts(ao: Local) -> None:
    run_id = await submit(ao)
    await ao.deploy("support", agent(2), toml=FUNCTION)
    ao.start_worker()
    run = await ao.result(run_id)
    assert (await ao.output(run), run.version) == ([2, "dry"], 2)
    assert run.artifact is not None
    assert run.digest not in (None, run.artifact)


async def test_overrides_that_do_not_fit_what_became_live_fail_the_run_for_good(ao: Local) -> None:
    run_id = await submit(ao)
    (ao.scratch / "project-support" / PROMPT).unlink()
    await ao.deploy("support", {"agent.py": "def work(task): return 2\n"}, toml=FUNCTION)
    ao.start_worker()
    run = await ao.result(run_id)
    assert (run.head.state, run.head.attempt) == (RunState.FAILED, 1)
    assert run.error is not None
    assert "the overrides do not fit support v2" in run.error.message
    reasons = [event.data["reason"] for event in await ao.events(run_id) if event.kind is EventKind.STATE]
    assert reasons[-1] == "permanent_error"


async def test_overrides_that_contradict_what_became_live_are_refused_and_fail_the_run_for_good(
    ao: Local,
) -> None:
    config = AssistantConfig.model_validate({"overrides": {"retries": {"transient": ["ValueError"]}}})
    await ao.platform.services.assistants.create("again", "support", config, "", ACTOR)
    run, _ = await ao.platform.services.runs.create(RunCreate(assistant="again"), ACTOR)
    toml = f'{FUNCTION}[retries]\npermanent = ["ValueError"]\ninitial_delay = "10ms"\n'
    await ao.deploy("support", agent(2), toml=toml)
    with pytest.raises(InvalidInput) as caught:
        await ao.platform.services.runs.create(RunCreate(assistant="again"), ACTOR)
    (problem,) = caught.value.problems
    assert problem.field == "overrides.retries"
    assert problem.message == "ValueError is both in permanent and in transient"
    ao.start_worker()
    ended = await ao.result(run.id)
    assert (ended.head.state, ended.head.attempt, ended.head.losses) == (RunState.FAILED, 1, 0)
    assert ended.error is not None
    assert "the overrides do not fit support v2: overrides.retries" in ended.error.message


async def test_a_restarted_server_knows_what_its_assistants_override(tmp_path: Path) -> None:
    async with local_platform(tmp_path, {"AO_WARM": "off"}, worker=False) as local:
        await local.deploy("support", agent(1), toml=FUNCTION)
        config = AssistantConfig.model_validate({"overrides": {"prompts": {PROMPT: "dry"}}})
        await local.platform.services.assistants.create("dry", "support", config, "", ACTOR)
        run_id = await submit(local)
    async with local_platform(tmp_path, {"AO_WARM": "off"}) as local:
        run = await local.result(run_id)
        assert await local.output(run) == [1, "dry"]
        assert (run.assistant, run.assistant_version) == ("dry", 1)


async def test_a_replay_goes_where_its_assistant_says(ao: Local) -> None:
    config = AssistantConfig.model_validate({"overrides": {"placement": {"requires": {"zone": "b"}}}})
    services = ao.platform.services
    await services.assistants.create("far", "support", config, "", ACTOR)
    ao.start_worker()
    first, _ = await services.runs.create(RunCreate(assistant="far"), ACTOR)
    await services.runs.cancel(first.id, ACTOR)
    for version in (None, 1):
        made = await services.replays.replay(first.id, scratch=True, version=version, actor=ACTOR)
        waits = await services.runs.why_pending(await services.runs.get(made.run.id))
        assert waits == "needs label zone=b; no worker has it"

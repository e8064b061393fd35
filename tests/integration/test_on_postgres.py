"""The platform on a real Postgres, from the setting to the result of a run."""

from pathlib import Path

from tests.local import local_platform

AGENT = """
import os
def work(task):
    if os.environ["AO_ATTEMPT"] == "1":
        raise ValueError("not yet")
    print("second attempt")
    return [task, os.environ["AO_LAST_ERROR"]]
"""
TOML = 'entrypoint = "agent:work"\nretries = { max_retries = 2, initial_delay = 0.05, jitter = false }'


async def test_an_agent_is_deployed_retried_and_completed_on_postgres(
    tmp_path: Path, postgres_url: str
) -> None:
    variables = {"AO_DATABASE_URL": postgres_url}
    async with local_platform(tmp_path, variables) as ao:
        await ao.deploy("cluster", {"agent.py": AGENT}, toml=TOML)
        run = await ao.run("cluster", "hello", idempotency_key="once")
        assert await ao.output(run) == ["hello", "ValueError: not yet"]
        assert await ao.lines(run.id) == ["second attempt"]
        assert [event.seq for event in await ao.events(run.id)] == list(range(1, run.last_seq + 1))
    async with local_platform(tmp_path, variables) as ao:  # a restart finds everything
        again = await ao.run("cluster", "hello", idempotency_key="once")
        assert again.id == run.id
        assert (await ao.platform.services.runs.get(run.id)).head.attempt == 2
    assert not (tmp_path / "home" / "ao.db").exists()

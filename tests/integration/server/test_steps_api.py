"""Steps over HTTP and in the clients."""

from pathlib import Path

from tests.served import FUNCTION, served, thread

from ao import AsyncClient, Client

STEPS = {
    "agent.py": """
from ao_runner import step, span
def work(task):
    with span("plan"):
        step.run("think", lambda: {"answer": 42}, key="one")
    try:
        step.run("tell", lambda: 1 / 0)
    except ZeroDivisionError:
        return "told"
"""
}


async def test_steps_come_in_order_with_parents_states_errors_and_results(tmp_path: Path) -> None:
    async with served(tmp_path, worker=True) as ao:
        await ao.local.deploy("thinks", STEPS, toml=FUNCTION)
        run = await ao.local.run("thinks")
        path = f"/v1/runs/{run.id}/steps"
        plan, think, tell = await ao.json("GET", path)
        assert [each["path"] for each in (plan, think, tell)] == ["plan", "plan/think[one]", "tell"]
        assert (plan["kind"], plan["state"], think["parent"], think["key"]) == (
            "span",
            "completed",
            "plan",
            "one",
        )
        assert plan["started_at"] <= think["started_at"] <= think["finished_at"] <= plan["finished_at"]
        assert (tell["state"], tell["error"]["message"]) == ("failed", "ZeroDivisionError: division by zero")
        assert think["output"] is None
        (think,) = await ao.json("GET", path, params={"outputs": True, "offset": 1, "limit": 1})
        assert think["output"] == {"answer": 42}
        await ao.problem("GET", f"/v1/runs/{'0' * 8}-0000-0000-0000-{'0' * 12}/steps", status=404)
        async with AsyncClient(ao.url, ao.key) as client:
            found = await (await client.get_run(run.id)).steps(outputs=True)
        with Client(ao.url, ao.key) as sync:
            assert await thread(lambda: sync.get_run(run.id).steps(outputs=True)) == found
        assert [each.output for each in found] == [None, {"answer": 42}, None]

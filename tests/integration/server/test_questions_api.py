"""Questions over HTTP and in the clients."""

from pathlib import Path

import pytest
from tests.served import FUNCTION, Served, served, thread

from ao import AsyncClient, Client
from ao.domain.errors import AlreadyAnswered
from ao.domain.run import RunState
from ao.ids import RunId

ASKS = {
    "agent.py": """
from ao_runner import approve, ask
def work(task):
    if task == "approve":
        return approve("Ship it?", timeout=3600).comment
    return ask("How many?", schema={"type": "integer"}, details=[task])
"""
}


async def paused(ao: Served, input: str) -> RunId:
    run_id = await ao.local.submit("asks", input)
    await ao.local.until_state(run_id, RunState.PAUSED)
    return run_id


async def test_questions_are_listed_and_answered_once_by_those_who_may(tmp_path: Path) -> None:
    async with served(tmp_path, worker=True) as ao:
        await ao.local.deploy("asks", ASKS, toml=FUNCTION)
        run_id = await paused(ao, "why")
        (listed,) = (await ao.json("GET", "/v1/questions", params={"agent": "asks"}))["items"]
        assert (listed["run_id"], listed["text"], listed["kind"]) == (run_id, "How many?", "question")
        assert (listed["answer_schema"], listed["details"]) == ({"type": "integer"}, ["why"])
        assert (listed["answerable"], listed["deadline_at"], listed["answer"]) == (True, None, None)
        path = f"/v1/runs/{run_id}/answer"
        operator = {"authorization": f"Bearer {await ao.key_of('operator')}"}
        await ao.problem("POST", path, {"answer": 3}, status=403, headers=operator)
        problem = await ao.problem("POST", path, {"answer": "three"}, status=422)
        assert problem["problems"][0]["field"] == "answer"
        approver = {"authorization": f"Bearer {await ao.key_of('approver')}"}
        body = {"answer": 3, "comment": "counted", "question": listed["id"]}
        done = await ao.json("POST", path, body, headers=approver)
        assert (done["answer"], done["comment"], done["actor"]) == (3, "counted", "key:approver")
        (noted,) = (await ao.json("GET", "/v1/audit?action=question."))["items"]
        assert (noted["actor"], noted["target"], noted["agent"]) == ("key:approver", f"run:{run_id}", "asks")
        problem = await ao.problem("POST", path, {"answer": 4}, status=409)
        assert problem["code"] == "already_answered"
        run = await ao.json("GET", f"/v1/runs/{run_id}", params={"wait": 60})
        assert run["output"] == 3
        assert (await ao.json("GET", "/v1/questions"))["items"] == []
        page = await ao.json("GET", "/v1/questions", params={"all": True, "run": run_id, "limit": 1})
        assert [item["answer"] for item in page["items"]] == [3]


async def test_clients_ask_for_questions_answer_and_decide(tmp_path: Path) -> None:
    async with served(tmp_path, worker=True) as ao:
        await ao.local.deploy("asks", ASKS, toml=FUNCTION)
        first, second = await paused(ao, "a"), await paused(ao, "approve")
        with Client(ao.url, ao.key) as client:
            found = await thread(client.questions)
            assert [question.run_id for question in found] == [second, first]
            handle = await thread(client.get_run, first)
            assert (await thread(handle.questions))[0].text == "How many?"
            assert (await thread(handle.answer, 7)).answer == 7
            with pytest.raises(AlreadyAnswered):
                await thread(handle.answer, 8)
            assert await thread(handle.result, 60) == 7
        async with AsyncClient(ao.url, ao.key) as client:
            assert [question.run_id for question in await client.questions("asks")] == [second]
            run = await client.get_run(second)
            assert (await run.questions())[0].deadline_at is not None
            decided = await run.decide(True, comment="good")
            assert (decided.answer, decided.actor) == (True, "key:local")
            with pytest.raises(AlreadyAnswered):
                await run.decide(False)
            assert await run.result(60) == "good"

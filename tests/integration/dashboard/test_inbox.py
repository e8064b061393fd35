"""The inbox: what runs ask is shown exactly, answered once by a form, and kept with who and when."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue
from tests.served import Served, served
from tests.visitor import Visitor, visitor

from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.question_records import QuestionFilter
from ao.store.sql.store import SqlStore

AGENT = r"""
from ao_runner import approve, ask

def work(task):
    if "approve" in task:
        decision = approve(task["approve"], details=task.get("details"), timeout=task.get("timeout"))
        return {"approved": decision.approved, "by": decision.by, "comment": decision.comment}
    return ask(task["ask"], schema=task.get("schema"), details=task.get("details"))
"""
TOML = 'entrypoint = "agent:work"\nretries = 0'
SCHEMA: JsonValue = {
    "type": "object",
    "required": ["cents"],
    "properties": {"cents": {"type": "integer", "maximum": 500}, "tone": {"enum": ["warm", "formal"]}},
}

ANSWERED = """
INSERT INTO run_question (question_id, run_id, path, kind, state, text, fingerprint, asked_us, ended_us, actor)
VALUES (:question_id, :run_id, :path, 'question', 'answered', '?', '', 1, 1, 'key:test')"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        await running.local.deploy("refunds", {"agent.py": AGENT}, toml=TOML)
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        await new.log_in()
        yield new


async def asks(server: Served, input: JsonValue) -> tuple[RunId, str]:
    """(the run, paused; the path of its question)."""
    run_id = await server.local.submit("refunds", input)
    await server.local.until_state(run_id, RunState.PAUSED)
    (question,) = (await server.json("GET", f"/v1/questions?run={run_id}"))["items"]
    return run_id, f"/runs/{run_id}/questions/{question['id']}"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)).replace("&#34;", '"').replace("&#39;", "'")


async def test_an_approval_shows_its_arguments_and_is_answered_once(server: Served, browser: Visitor) -> None:
    details: JsonValue = {"order": "A-17", "cents": 1250, "note": "  as is "}
    run_id, path = await asks(server, {"approve": "Refund 12.50?", "details": details, "timeout": 3600})
    inbox = await browser.page("/inbox")
    assert "Refund 12.50?" in inbox
    assert json.dumps(details, indent=2, sort_keys=True).replace('"', "&#34;") in inbox
    assert f"ao answer {run_id} --approve" in inbox
    assert re.search(r"expires <time [^>]*>in (59 min|1 h)<", inbox)
    assert "1 question waits for an answer" in await browser.page("/")
    answer = await browser.send(inbox, f'action="/ui{path}', {"approved": "true", "comment": "Read it twice"})
    assert answer.headers["location"] == f"/ui{path}"
    run = await server.local.result(run_id)
    assert await server.local.output(run) == {"approved": True, "by": "key:local", "comment": "Read it twice"}
    second = await browser.send(inbox, f'action="/ui{path}', {"approved": "false"})
    assert second.status_code == 409
    assert "Your answer was not taken" in second.text
    assert re.search(r"Approved by key:local .* Read it twice", text_of(second.text))
    assert "Nobody asks anything" in await browser.page("/inbox")
    ended = text_of(await browser.page("/inbox/ended"))
    assert re.search(r"approved .*Refund 12\.50\?.*Approved by key:local", ended)


async def test_an_object_is_a_form_whose_fields_tell_what_is_wrong(server: Served, browser: Visitor) -> None:
    run_id, path = await asks(server, {"ask": "How much?", "schema": SCHEMA})
    page = await browser.page(path)
    assert re.search(r'name="answer.cents" type="number"[^>]* max="500"[^>]* required', page)
    assert "&lt;/" not in page
    assert page.count('type="radio" name="answer.tone"') == 2
    empty = await browser.send(page, f'action="/ui{path}', {"answer.tone": '"warm"'})
    assert empty.status_code == 422
    assert re.search(r'<p class="problem" id="[^"]+-problem">is needed</p>', empty.text)
    assert 'value="&#34;warm&#34;" checked' in empty.text
    large = await browser.send(page, f'action="/ui{path}', {"answer.cents": "501", "comment": "all of it"})
    assert large.status_code == 422
    assert re.search(r'name="answer.cents" [^>]*value="501"[^>]*aria-invalid="true"', large.text)
    assert "is greater than the maximum of 500" in text_of(large.text)
    assert 'value="all of it"' in large.text
    right = await browser.send(page, f'action="/ui{path}', {"answer.cents": "499", "answer.tone": '"formal"'})
    assert right.status_code == 303
    run = await server.local.result(run_id)
    assert await server.local.output(run) == {"cents": 499, "tone": "formal"}


@pytest.mark.parametrize(
    ("schema", "filled", "answer"),
    [
        (None, "Paris", "Paris"),
        ({"type": "string"}, "<b>12</b>", "<b>12</b>"),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
    ],
)
async def test_any_answer_can_be_given(
    server: Served, browser: Visitor, schema: JsonValue, filled: str, answer: JsonValue
) -> None:
    run_id, path = await asks(server, {"ask": "Which?", "schema": schema})
    page = await browser.page(path)
    assert (await browser.send(page, f'action="/ui{path}', {"answer": filled})).status_code == 303
    assert await server.local.output(await server.local.result(run_id)) == answer


async def test_the_oldest_is_first_and_a_run_leads_to_its_question(server: Served, browser: Visitor) -> None:
    first, _ = await asks(server, {"ask": "first?"})
    second, path = await asks(server, {"ask": "second?"})
    inbox = await browser.page("/inbox")
    assert inbox.index("first?") < inbox.index("second?")
    run = await browser.page(f"/runs/{second}")
    assert f'href="/ui/runs/{second}/questions"' in run
    assert path in await browser.page(f"/runs/{second}/questions")
    await browser.page(f"/runs/{first}/questions/{path.rpartition('/')[2]}", status=404)
    for run_id in (first, second):
        await server.json("POST", f"/v1/runs/{run_id}/cancel")
    assert "its run has ended" in await browser.page("/inbox/ended")


async def test_who_may_not_answer_sees_no_form_and_is_refused(server: Served) -> None:
    run_id, path = await asks(server, {"approve": "Pay?"})
    async with visitor(server) as admin, visitor(server) as operator, visitor(server) as stranger:
        await admin.log_in()
        await operator.log_in(await server.key_of("operator"))
        page = await operator.page("/inbox")
        assert "Pay?" in page
        assert "approver or admin" in page
        assert 'name="approved"' not in page
        theme = await operator.page(path)
        token = re.search(r'name="csrf" value="([^"]+)"', theme)
        assert token is not None
        refused = await operator.post(f"/ui{path}", {"csrf": token[1], "approved": "true"})
        assert refused.status_code == 403
        await stranger.log_in(await server.key_of("approver", ["another"]))
        assert "Pay?" not in await stranger.page("/inbox")
        await stranger.page(path, status=403)
        forged = await admin.post(f"/ui{path}", {"csrf": "0", "approved": "true"})
        assert forged.status_code == 403
    assert (await server.json("GET", f"/v1/runs/{run_id}"))["state"] == "paused"
    await server.json("POST", f"/v1/runs/{run_id}/cancel")


async def test_an_open_question_is_seen_however_many_were_answered(server: Served, browser: Visitor) -> None:
    run_id = await server.local.submit("refunds", {"ask": "And now?"})
    await server.local.until_state(run_id, RunState.PAUSED)
    (first,) = await server.services.store.questions.list(QuestionFilter(run_id=run_id), 1)
    store = server.services.store
    assert isinstance(store, SqlStore)
    before = [{"question_id": f"{n:036}", "run_id": run_id, "path": f"ask[{n}]"} for n in range(100)]
    await store.engine.write(lambda tx: tx.many(ANSWERED, before))
    page = await browser.page(f"/runs/{run_id}/questions")
    assert page.index(f'id="question-{first.id}"') < page.index(f'id="question-{before[0]["question_id"]}"')
    await server.json("POST", f"/v1/runs/{run_id}/cancel")

"""The page of a run, without a browser: what it says in each state, and what it costs."""

import base64
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue
from tests.served import Served, served, until
from tests.statements import count_statements
from tests.visitor import Visitor, visitor

from ao.domain.run import RunState
from ao.ids import RunId
from ao.store.records import Webhook
from ao.store.sql.store import SqlStore

AGENT = r"""
import sys, time
from ao_runner import ask, span, step

@step
def fetch(name):
    return name.upper()

def work(task):
    print("started", flush=True)
    if task.get("steps"):
        with span("gather"):
            fetch("one")
            fetch("two")
    if task.get("ask"):
        ask(task["ask"])
    if task.get("wait"):
        time.sleep(task["wait"])
    if task.get("fail"):
        fields = {}
        fields[task["fail"]]
    return {"answer": task.get("answer", 42)}
"""
TOML = """
entrypoint = "agent:work"
retries = { max_retries = 1, initial_delay = 0.05, jitter = false }
[input_schema]
type = "object"
properties = { answer = { type = "integer" }, fail = { type = "string" } }
"""
MOST_STATEMENTS = 3


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        await running.local.deploy("support", {"agent.py": AGENT}, toml=TOML)
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        await new.log_in()
        yield new


def verdict(page: str) -> str:
    """The status sentence, as text."""
    found = re.search(r'class="verdict".*?<p[^>]*>(.*?)</p>', page, re.DOTALL)
    assert found is not None
    return re.sub(r"<[^>]+>", "", found[1]).replace("&#39;", "'")


async def test_a_failed_run_says_why_where_and_after_how_many_attempts(
    server: Served, browser: Visitor
) -> None:
    run = await server.local.run("support", {"fail": "q"})
    page = await browser.page(f"/runs/{run.id}")
    assert re.fullmatch(r"Failed after 2 attempts, .+: KeyError: 'q' in agent.py:21", verdict(page))
    assert "File &#34;agent.py&#34;, line 21" in page
    assert "Attempt 2 · after KeyError" in page
    assert page.count('class="span depth-0"') == 2
    assert "ao logs" in page


async def test_a_completed_run_shows_input_output_and_steps(server: Served, browser: Visitor) -> None:
    run = await server.local.run("support", {"answer": 7, "steps": True})
    page = await browser.page(f"/runs/{run.id}")
    assert verdict(page).startswith("Completed in")
    assert "&#34;answer&#34;: 7" in page
    names = re.findall(r'class="span depth-(\d)">\s*<span class="name" title="([^"]+)"', page)
    assert names == [("0", "Attempt 1"), ("1", "gather"), ("2", "fetch"), ("2", "fetch")]
    for name in ("input", "output"):
        answer = await browser.http.get(f"/ui/runs/{run.id}/{name}.json")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.json()["answer"] == 7


async def test_a_run_that_waits_says_what_for(tmp_path: Path) -> None:
    async with served(tmp_path) as server, visitor(server) as browser:
        await browser.log_in()
        await server.local.deploy("support", {"agent.py": AGENT}, toml=TOML)
        run_id = await server.local.submit("support", {})
        page = await browser.page(f"/runs/{run_id}")
        assert verdict(page) == "Waiting: no worker is connected; it starts as soon as one is"
        assert "the live version when it starts" in page


async def test_a_run_that_asks_is_paused_and_says_how_to_answer(server: Served, browser: Visitor) -> None:
    run_id = await server.local.submit("support", {"ask": "ship it?"})
    await server.local.until_state(run_id, RunState.PAUSED)
    page = await browser.page(f"/runs/{run_id}")
    assert verdict(page).startswith("Paused: it waits for an answer")
    assert "ao questions" in page
    await server.json("POST", f"/v1/runs/{run_id}/cancel")


async def test_no_state_costs_more_than_three_statements(
    server: Served, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[JsonValue] = [{"fail": "q"}, {"steps": True}]
    ended = [(await server.local.run("support", input)).id for input in inputs]
    going = await server.local.submit("support", {"wait": 60})
    await server.local.until_state(going, RunState.RUNNING)
    asking = await server.local.submit("support", {"ask": "ship it?"})
    await server.local.until_state(asking, RunState.PAUSED)
    await browser.page("/")  # the session is remembered from here on
    store = server.services.store
    assert isinstance(store, SqlStore)
    statements = count_statements(store.engine, monkeypatch)
    for run_id in (*ended, going, asking):
        statements.clear()
        await browser.page(f"/runs/{run_id}")
        own = [sql for sql in statements if "FROM login" not in sql]
        assert 0 < len(own) <= MOST_STATEMENTS, own
    for run_id in (going, asking):
        await server.json("POST", f"/v1/runs/{run_id}/cancel")


async def test_a_retry_that_waits_costs_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, {"AO_SLOTS": "1"}, worker=True) as server, visitor(server) as browser:
        await browser.log_in()
        slow = TOML.replace("initial_delay = 0.05", "initial_delay = 3600")
        await server.local.deploy("support", {"agent.py": AGENT}, toml=slow)
        later = await server.local.submit("support", {"fail": "q", "steps": True})
        await server.local.until_state(later, RunState.PENDING, attempt=1)
        soon = TOML.replace("initial_delay = 0.05", "initial_delay = 3")
        await server.local.deploy("support", {"agent.py": AGENT}, toml=soon)
        retry = await server.local.submit("support", {"fail": "q"}, priority=-5)
        await server.local.until_state(retry, RunState.PENDING, attempt=1)
        going = await server.local.submit("support", {"wait": 600})  # takes the slot before the retry does
        await server.local.until_state(going, RunState.RUNNING)
        await browser.page("/")
        store = server.services.store
        assert isinstance(store, SqlStore)

        async def retry_is_due() -> bool:
            return (await store.workers.counts())["ready"] == 1

        await until(retry_is_due)
        statements = count_statements(store.engine, monkeypatch)
        said = {later: "attempt 1 failed; attempt 2 starts at", retry: "all 1 slots are busy; in the queue: 1"}
        for run_id, text in said.items():
            statements.clear()
            assert text in verdict(await browser.page(f"/runs/{run_id}"))
            own = [sql for sql in statements if "FROM login" not in sql]
            assert 0 < len(own) <= MOST_STATEMENTS, own
        for run_id in (later, retry, going):
            await server.json("POST", f"/v1/runs/{run_id}/cancel")


async def test_a_run_is_cancelled_with_its_command_beside_the_button(server: Served, browser: Visitor) -> None:
    run_id = await server.local.submit("support", {"wait": 60})
    await server.local.until_state(run_id, RunState.RUNNING)
    page = await browser.page(f"/runs/{run_id}")
    assert f"ao cancel {run_id}" in page
    answer = await browser.send(page, "/cancel")
    assert answer.headers["location"] == f"/ui/runs/{run_id}"
    assert (await server.local.result(run_id)).head.state is RunState.CANCELLED
    assert verdict(await browser.page(f"/runs/{run_id}")).startswith("Cancelled after")


async def test_running_again_takes_an_edited_input_and_keeps_the_line(server: Served, browser: Visitor) -> None:
    run = await server.local.run("support", {"answer": 1})
    form = await browser.page(f"/runs/{run.id}/again")
    answer = await browser.send(
        form, f'action="/ui/runs/{run.id}/again', {"input": '{"answer": 2}', "version": "same"}
    )
    again = await server.local.result(answer.headers["location"].rpartition("/")[2])  # type: ignore[arg-type]
    assert await server.local.output(again) == {"answer": 2}
    assert (again.lineage, again.pinned, again.version) == (run.id, True, 1)
    assert run.id in await browser.page(f"/runs/{again.id}")


async def test_what_is_run_again_keeps_its_key_and_tells_the_same_receiver(
    server: Served, browser: Visitor
) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    await server.json("PUT", "/v1/secrets/SIGNING?agent=keyed", {"value": secret})
    await server.local.deploy("keyed", {"agent.py": AGENT}, toml=f'{TOML}[concurrency]\nkey = "tenant"\n')
    webhook = {"url": "https://example.invalid/hook", "secret": "SIGNING"}
    given = await server.local.run("keyed", {}, concurrency_key="mine", webhook=webhook, priority=2)
    form = html.unescape(await browser.page(f"/runs/{given.id}/again"))
    assert "--priority 2 --concurrency-key mine --webhook https://example.invalid/hook" in form
    found = await server.local.run("keyed", {"tenant": "one"})
    for run, input, key in ((given, "{}", "mine"), (found, '{"tenant": "two"}', "two")):
        form = await browser.page(f"/runs/{run.id}/again")
        sent = await browser.send(form, f'action="/ui/runs/{run.id}/again', {"input": input})
        again = await server.local.result(RunId(sent.headers["location"].rpartition("/")[2]))
        assert again.concurrency_key == key
        told = await server.services.store.webhooks.of_run(again.id)
        assert told == (Webhook(**webhook) if run is given else None)
        assert f'Concurrency key</dt><dd class="mono">{key}' in await browser.page(f"/runs/{again.id}")


@pytest.mark.parametrize(
    ("input", "said"),
    [
        ('{"answer": "two"}', r"<code>input.answer</code> .*is not of type"),
        ('{"answer": ', r"<code>input</code> is not JSON: Expecting value at line 1, column 12"),
        ("NaN", r"<code>input</code> is not JSON: NaN"),
    ],
)
async def test_an_input_that_is_refused_stays_in_the_form_with_the_reason(
    server: Served, browser: Visitor, input: str, said: str
) -> None:
    run = await server.local.run("support", {"answer": 1})
    form = await browser.page(f"/runs/{run.id}/again")
    answer = await browser.send(form, f'action="/ui/runs/{run.id}/again', {"input": input})
    assert answer.status_code == 422
    assert re.search(said, answer.text)
    assert 'aria-invalid="true"' in answer.text


async def test_a_viewer_sees_but_does_not_act(server: Served) -> None:
    run_id = await server.local.submit("support", {"wait": 60})
    async with visitor(server) as browser:
        await browser.log_in(await server.key_of("viewer"))
        page = await browser.page(f"/runs/{run_id}")
        assert "Run again" not in page
        assert "Cancel the run" not in page
        await browser.page(f"/runs/{run_id}/again", status=403)
        assert (await browser.http.get(f"/ui/runs/{run_id}/log.txt")).status_code == 200
    await server.json("POST", f"/v1/runs/{run_id}/cancel")


async def test_what_is_no_run_is_not_found(browser: Visitor) -> None:
    for run_id in ("nothing", "01936f2e-9c4b-7d3a-8f00-0123456789ab"):
        await browser.page(f"/runs/{run_id}", status=404)


async def test_a_stream_tells_nothing_of_the_runs_of_other_agents(server: Served) -> None:
    run = await server.local.run("support", {})
    key = await server.key_of("viewer", ["another"])
    async with visitor(server) as browser:
        await browser.log_in(key)
        async with browser.http.stream("GET", f"/ui/stream?run={run.id}.0") as answer:
            told = [line async for line in _until_over(answer.aiter_lines())]
    assert told[-1] == f"data: run={run.id}"
    assert "event: gone" in told
    assert "event: run" not in told


async def test_a_stream_has_what_follows_and_then_says_that_the_run_is_over(
    server: Served, browser: Visitor
) -> None:
    run = await server.local.run("support", {})
    async with browser.http.stream("GET", f"/ui/stream?run={run.id}.2") as answer:
        told = [line async for line in _until_over(answer.aiter_lines())]
    ids = [line.removeprefix("id: ") for line in told if line.startswith("id: ")]
    assert ids == [f"run={run.id}.{seq}" for seq in range(3, run.last_seq + 1)]
    assert told[-1] == f"data: run={run.id}"


async def _until_over(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Lines of a stream up to the data of `end` or `gone`."""
    over = False
    async for line in lines:
        yield line
        if over:
            return
        over = line in ("event: end", "event: gone")

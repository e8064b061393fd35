"""Failures: grouped, replayed one by one and many at a time, forked from a step, forgotten; by whom may."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import Served, served
from tests.visitor import Visitor, visitor

from ao.domain.run import RunState
from ao.ids import RunId

AGENT = r"""
from ao_runner import step

@step
def fetch(number):
    print("fetching", number, flush=True)
    return number * 2

@step
def pay(number):
    print("paying", number, flush=True)
    return {}[number] if BROKEN else number

def work(task):
    return {"paid": pay(fetch(task["number"]))}
"""
TOML = 'entrypoint = "agent:work"\nretries = 0'


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        await running.local.deploy("payer", {"agent.py": f"BROKEN = True\n{AGENT}"}, toml=TOML)
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        await new.log_in()
        yield new


async def failed(server: Served, number: int) -> RunId:
    run = await server.local.run("payer", {"number": number})
    assert run.head.state is RunState.FAILED
    return run.id


async def group_of(browser: Visitor) -> str:
    """The path of the only group."""
    (path,) = set(re.findall(r'href="/ui(/agents/payer/failures/[0-9a-f]+)"', await browser.page("/failures")))
    return str(path)


async def test_failures_that_are_alike_are_replayed_together_on_another_version(
    server: Served, browser: Visitor
) -> None:
    runs = [await failed(server, number) for number in (1, 2, 3)]
    listed = await browser.page("/failures")
    assert re.search(r"KeyError: \d+</a></th>\s*<td[^>]*>payer</td>\s*<td[^>]*>v1</td>", listed)
    assert re.search(r'data-label="runs">3<', listed)
    assert "3 runs have failed for good" in await browser.page("/")
    await server.local.deploy("payer", {"agent.py": f"BROKEN = False\n{AGENT}"}, toml=TOML)
    path = await group_of(browser)
    group = await browser.page(path)
    assert all(f'href="/ui/runs/{run_id}"' in group for run_id in runs)
    assert "in step <span" in group
    confirm = await browser.page(f"{path}/replay")
    assert re.search(r"fetch</span> <span[^>]*>3×", confirm)  # recorded
    assert re.search(r"pay</span> <span[^>]*>3×", confirm)  # done again
    assert f"ao dlq replay --agent payer --fingerprint {path.rpartition('/')[2]}" in confirm
    answer = await browser.send(
        confirm, f'action="/ui{path}/replay', {"count": "2", "version": "2", "begin": "checkpoint"}
    )
    assert answer.headers["location"] == f"/ui{path}?show=replayed&warned=true"
    assert "Their steps were recorded by other code" in await browser.page(f"{path}?show=replayed&warned=true")
    replays = re.findall(r'href="/ui/runs/([0-9a-f-]{36})"', await browser.page(f"{path}?show=replayed"))
    made = [RunId(run_id) for run_id in replays if run_id not in runs]
    assert len(made) == 2
    for run_id in made:
        run = await server.local.result(run_id)
        assert (run.head.state, run.version, run.lineage) == (RunState.COMPLETED, 2, run.fork_of)
        assert not [line for line in await server.local.lines(run_id) if line.startswith("fetching")]
    after = await browser.page(f"{path}?show=replayed")
    assert re.search(r"completed</span></dt><dd>2</dd>", after)
    assert re.search(r'data-label="runs">1 <span class="muted">of 3<', await browser.page("/failures?all=true"))
    again = await browser.send(confirm, f'action="/ui{path}/replay', {"version": "9"})
    assert again.status_code == 409
    assert "9" in again.text.partition("<tbody>")[2], again.text.partition("<main")[2]


async def test_one_run_is_replayed_and_says_what_it_has_taken_over(server: Served, browser: Visitor) -> None:
    run_id = await failed(server, 1)
    page = await browser.page(f"/runs/{run_id}")
    assert f'href="/ui/runs/{run_id}/replay"' in page
    confirm = await browser.page(f"/runs/{run_id}/replay")
    assert f"ao dlq replay {run_id}" in confirm
    group = await group_of(browser)
    bulk = await browser.page(f"{group}/replay")
    for wrong in ({"version": "two"}, {"version": "0"}, {"begin": "end"}, {"count": "-5"}, {"count": "all"}):
        if "count" not in wrong:
            refused = await browser.send(confirm, f'action="/ui/runs/{run_id}/replay', wrong)
            assert refused.status_code == 422
        refused = await browser.send(bulk, f'action="/ui{group}/replay', wrong)
        assert refused.status_code == 422
        assert next(iter(wrong)) in refused.text
    answer = await browser.send(
        confirm, f'action="/ui/runs/{run_id}/replay', {"begin": "checkpoint", "version": ""}
    )
    made = RunId(answer.headers["location"].rpartition("/")[2])
    assert (await server.local.result(made)).head.state is RunState.FAILED
    shown = await browser.page(f"/runs/{made}")
    names = re.findall(r'class="span depth-(\d)">\s*<span class="name" title="([^":]+)', shown)
    assert names == [("0", "Taken over"), ("1", "fetch"), ("0", "Attempt 1"), ("1", "pay")]
    assert re.search(rf'<dt>Made of</dt><dd><a [^>]*href="/ui/runs/{run_id}"', shown)
    assert "recorded by other code" not in shown
    await server.local.deploy("payer", {"agent.py": f"BROKEN = False\n{AGENT}"}, toml=TOML)
    answer = await browser.send(
        confirm, f'action="/ui/runs/{run_id}/replay', {"begin": "checkpoint", "version": "2"}
    )
    assert answer.headers["location"].endswith("?recorded_by=1")
    shown = await browser.page(answer.headers["location"].removeprefix("/ui"))
    assert "Its steps were recorded by other code" in shown
    assert 'href="/ui/agents/payer/diff?before=1&amp;after=2"' in shown
    done = await server.local.run("payer", {"number": 1}, version=1)
    assert done.head.state is RunState.FAILED


async def test_a_run_is_forked_from_a_step(server: Served, browser: Visitor) -> None:
    run_id = await failed(server, 4)
    await server.local.deploy("payer", {"agent.py": f"BROKEN = False\n{AGENT}"}, toml=TOML)
    page = await browser.page(f"/runs/{run_id}")
    assert f"/runs/{run_id}/fork?step=pay" in page
    confirm = await browser.page(f"/runs/{run_id}/fork?step=pay")
    assert "1 recorded step that began before it" in confirm
    assert html.escape(f"ao fork {run_id} --from pay") in confirm
    answer = await browser.send(confirm, f'method="post" action="/ui/runs/{run_id}/fork', {"version": "2"})
    location, _, warning = answer.headers["location"].rpartition("/")[2].partition("?")
    assert warning == "recorded_by=1"
    made = await server.local.result(RunId(location))
    assert (made.head.state, made.version, made.fork_step) == (RunState.COMPLETED, 2, "pay")
    await browser.page(f"/runs/{made.id}/replay", status=409)


async def test_old_ones_are_forgotten_after_a_confirm(server: Served, browser: Visitor) -> None:
    await failed(server, 1)
    page = await browser.page("/failures")
    assert "ao dlq purge --older-than 30d" in page
    kept = await browser.send(page, 'action="/ui/failures/purge', {"older_than": "30d"})
    assert kept.headers["location"] == "/ui/failures?purged=0"
    gone = await browser.send(page, 'action="/ui/failures/purge', {"older_than": "1ms"})
    assert gone.headers["location"] == "/ui/failures?purged=1"
    assert "Nothing has failed for good" in await browser.page("/failures")
    wrong = await browser.send(page, 'action="/ui/failures/purge', {"older_than": "soon"})
    assert wrong.status_code == 422


async def test_a_viewer_sees_and_does_nothing(server: Served, browser: Visitor) -> None:
    run_id = await failed(server, 1)
    path = await group_of(browser)
    async with visitor(server) as viewer, visitor(server) as stranger:
        await viewer.log_in(await server.key_of("viewer"))
        assert "Forget old ones" not in await viewer.page("/failures")
        assert f"{path}/replay" not in await viewer.page(path)
        page = await viewer.page(f"/runs/{run_id}")
        assert "/fork" not in page
        assert "/replay" not in page
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token is not None
        for target in (f"{path}/replay", "/failures/purge", f"/runs/{run_id}/replay", f"/runs/{run_id}/fork"):
            fields = {"csrf": token[1], "older_than": "1ms", "step": "pay"}
            assert (await viewer.post(f"/ui{target}", fields)).status_code == 403, target
        for target in (f"{path}/replay", f"/runs/{run_id}/replay", f"/runs/{run_id}/fork"):
            await viewer.page(target, status=403)
        await stranger.log_in(await server.key_of("admin", ["another"]))
        token = re.search(r'name="csrf" value="([^"]+)"', await stranger.page("/failures"))
        assert token is not None
        for target in ("/failures/purge", "/failures/purge?agent=another"):  # the form has no agent: of all
            refused = await stranger.post(f"/ui{target}", {"csrf": token[1], "older_than": "1ms"})
            assert refused.status_code == 403, target
        assert "KeyError" not in await stranger.page("/failures")
        await stranger.page(path, status=403)

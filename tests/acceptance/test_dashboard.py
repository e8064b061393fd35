"""The dashboard in a real browser, on a real `ao up`: what somebody does at night when an agent fails."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect
from tests.acceptance.command import Ao, Platform, platform_up
from tests.acceptance.projects import project
from tests.chromium import PATIENCE_MS, desk, kept, until_line
from tests.index import add_wheel, held_index
from tests.platform import Up

from ao.client.async_api import AsyncClient
from ao.testing.ports import free_port

GOOD = """\
def main(request):
    print("looking up", request["order"], flush=True)
    return {"order": request["order"], "status": "shipped"}
"""
BROKEN = """\
import sys, time

def main(request):
    for step in range(40):
        print(f"looking up {request['order']}, page {step}", flush=True)
        time.sleep(0.1)
    print("nothing found", file=sys.stderr, flush=True)
    return {"order": request["order"], "status": request["customer"]}
"""
RETRY = "retries = { max_retries = 1, initial_delay = 0.2, jitter = false }"


@pytest.fixture
def go_on() -> threading.Event:
    """Builds that need packages go on when it is set."""
    return threading.Event()


@pytest.fixture
def platform(tmp_path: Path, go_on: threading.Event) -> Iterator[Platform]:
    add_wheel(tmp_path / "index", "customers", "1.0")
    with held_index(tmp_path / "index", go_on) as index:
        platform = platform_up(Ao(tmp_path / "home", tmp_path), PIP_INDEX_URL=index)
        yield platform
        platform.stop()
        platform.ao.end()


def orders(directory: Path, agent: str, requirements: str = "") -> Path:
    """The project as it is to be deployed now; it retries once."""
    made = project(directory, "orders", agent=agent)
    toml = (made / "ao.toml").read_text().replace("retries = 0", RETRY)
    (made / "ao.toml").write_text(toml)
    if requirements:
        (made / "requirements.txt").write_text(requirements)
    return made


async def test_a_broken_release_is_seen_understood_and_taken_back(
    platform: Platform, go_on: threading.Event, browser: Browser, tmp_path: Path
) -> None:
    ao = platform.ao
    here = orders(tmp_path / "orders", GOOD)
    async with desk(browser) as night:
        page = await night.tab(platform.facts["login_url"])  # the link that `ao up` printed
        await page.wait_for_url("**/ui/")
        await expect(page.get_by_role("heading", name="Nothing has been deployed yet")).to_be_visible()
        await asyncio.to_thread(ao.ok, "deploy", str(here))
        await asyncio.to_thread(ao.ok, "run", "orders", "-i", '{"order": "A1"}', "--wait")

        # A new version is deployed; its build is watched, line by line, until it is live.
        await page.get_by_role("link", name="Deployments").click()
        await page.wait_for_url("**/ui/deployments")
        orders(here, BROKEN, "customers==1.0\n")
        deploying = asyncio.create_task(asyncio.to_thread(ao.ok, "deploy", str(here), "-m", "Names customers"))
        await page.get_by_role("link", name="orders v2").click()
        await page.evaluate("window.same = true")
        lines = page.locator("ol.lines li")
        await expect(page.locator("h1 .status")).to_have_text("building")
        await expect(lines.filter(has_text="Resolving the packages of requirements.txt")).to_be_visible()
        resolving = await lines.count()
        await expect(page.locator("h1 .status")).to_have_text("building")
        go_on.set()
        await expect(lines.filter(has_text="release ")).to_be_visible()
        await expect(page.locator("h1 .status")).to_have_text("live")
        assert await lines.count() > resolving
        assert await page.evaluate("window.same")
        await deploying

        # A run of the new version starts; its log comes line by line.
        started = await asyncio.to_thread(ao.ok, "run", "orders", "-i", '{"order": "A2"}')
        run_id = started.out.strip()
        await page.goto(f"{platform.facts['url']}/ui/runs/{run_id}")
        await expect(page.locator(".verdict .status")).to_have_text(re.compile("running|failed|retrying"))
        seen = []
        for step in (3, 9, 15):
            await until_line(page, f"looking up A2, page {step}")
            seen.append(len(await kept(page)))
        assert seen == sorted(seen)

        # It fails, is tried again, and fails: the page says why, where, and what the retry was for.
        await expect(page.locator(".verdict p")).to_contain_text(
            re.compile(r"Failed after 2 attempts, .+: KeyError: 'customer' in agent.py:8"), timeout=PATIENCE_MS
        )
        await page.locator(".log-last").evaluate("box => { box.scrollTop = 25 * 20 }")
        await expect(page.locator(".line.attempt")).to_have_text("Attempt 2 · after KeyError: 'customer'")
        await page.get_by_role("button", name="Jump to the end").click()
        await expect(page.locator(".line.stderr .text").last).to_have_text("nothing found")
        await expect(page.locator(".notice .trace")).to_contain_text('request["customer"]')

        # Which version, and back to the one before it.
        await page.get_by_role("link", name="orders v2").click()
        await page.goto(f"{platform.facts['url']}/ui/agents/orders")
        await page.get_by_role("link", name="Roll back to v1").first.click()
        await expect(page.get_by_text("Not restored")).to_be_visible()
        await expect(page.locator(".command code").first).to_contain_text("ao rollback orders --to v1")
        await page.locator("form.card button.main").click()
        await page.wait_for_url("**/ui/agents/orders*")

        # The failed run again, as it was: it runs on the version that is live now.
        await page.goto(f"{platform.facts['url']}/ui/runs/{run_id}/again")
        await page.get_by_role("button", name="Run again").click()
        await page.wait_for_url(re.compile(r"/ui/runs/[0-9a-f-]{36}$"))
        await expect(page.locator(".verdict .status")).to_have_text("completed")
        await expect(page.get_by_role("link", name="orders v1")).to_be_visible()
        await expect(page.locator('[data-part="values"]')).to_contain_text("shipped")


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    """A server that keeps its port when it comes back."""
    up = Up(tmp_path / "home", {"AO_PORT": str(free_port()), "AO_SANDBOX": "auto"})
    await asyncio.to_thread(up.start)
    yield up
    await asyncio.to_thread(up.stop)


COUNTING = """\
import os, time

def main(request):
    for number in range(request["lines"] if os.environ["AO_ATTEMPT"] == "2" else 100_000):
        print(os.environ["AO_ATTEMPT"], number, flush=True)
        time.sleep(0.02)
"""
"""It does not end before it is cut off."""


async def test_a_log_has_no_gap_and_no_repeat_after_the_server_was_killed(
    up: Up, browser: Browser, tmp_path: Path
) -> None:
    url = str(json.loads((up.home / "server.json").read_text())["url"])
    key = (up.home / "key").read_text().strip()
    here = project(tmp_path / "counting", "counting", agent=COUNTING)
    await asyncio.to_thread(Ao(up.home, tmp_path).ok, "deploy", str(here))
    async with AsyncClient(url, key) as client, desk(browser) as watcher:
        watcher.allowed.append("ERR_")  # the server is away for a while
        await watcher.log_in(url, key)
        run = await client.run("counting", {"lines": 300})
        page = await watcher.tab(f"{url}/ui/runs/{run.id}")
        await until_line(page, "1 40")
        await asyncio.to_thread(up.kill)
        await expect(page.locator("ao-run")).to_have_attribute("data-live", "off")
        await asyncio.to_thread(up.start)
        await until_line(page, "2 120")
        await expect(page.locator(".verdict .status")).to_have_text("completed")
        await until_line(page, "2 299")  # what has come is added with the next picture
        shown = await kept(page)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        headers = {"authorization": f"Bearer {key}"}
        stored = (await http.get(f"/v1/runs/{run.id}/logs", headers=headers)).json()
    everything = [(line["seq"], line["index"], line["text"]) for line in stored]
    assert shown == everything[-len(shown) :]
    assert {"1 40", "2 0", "2 299"} <= {text for _, _, text in shown}

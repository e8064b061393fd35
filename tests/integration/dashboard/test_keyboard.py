"""Pages that load again, for who goes by keyboard: everything is reached, and what has the focus keeps it."""

import re
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, expect
from tests.chromium import desk
from tests.served import FUNCTION, Served, served

from ao.domain.run import RunState
from ao.store.insights import hour_of
from ao.store.sql.store import SqlStore
from ao.testing.many_runs import AGENTS, VERSIONS

FIRST, SECOND = AGENTS[:2]
WAY_BACK = "Roll back to v7"
FAILED = """
INSERT INTO run_tally (hour_us, agent, version, state, bucket, shard, runs)
VALUES (:hour_us, :agent, :version, 'failed', 0, 3, 100000)"""
SLOWLY = """
import time

def work(task):
    for number in range(1000):
        yield number
        time.sleep(0.2)
"""


async def loaded_again(page: Page) -> None:
    """The part of the page that changes is asked for, and is in its place."""
    await page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("htmx:after:swap", done, { once: true });
            document.querySelector("#live").dispatchEvent(new CustomEvent("live"));
        })"""
    )


async def has_focus(element: Locator) -> bool:
    return bool(await element.evaluate("element => element === document.activeElement"))


async def test_everything_is_reached_by_keyboard_and_seen(busy: Served, browser: Browser) -> None:
    async with desk(browser) as visitor:
        await visitor.log_in(busy.url, busy.key)
        page = await visitor.tab(f"{busy.url}/ui/")
        await page.bring_to_front()  # keys go to the tab that is in front
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("#content")).to_be_focused()
        way_back = page.get_by_role("link", name="Roll back to v7")
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await way_back.evaluate("element => element === document.activeElement"):
                break
        await expect(way_back).to_be_focused()
        outline = await way_back.evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"


async def test_what_comes_before_it_takes_the_focus_from_nothing(busy: Served, browser: Browser) -> None:
    """Neither to nowhere nor to what is in its place now: Enter would do something else."""
    store = busy.services.store
    assert isinstance(store, SqlStore)
    async with desk(browser) as visitor:
        await visitor.log_in(busy.url, busy.key)
        page = await visitor.tab(f"{busy.url}/ui/")
        way_back = page.locator(f"a[href='/ui/agents/{FIRST}/rollback?to=7']")
        await way_back.focus()
        await loaded_again(page)
        assert await has_focus(way_back)
        hour_us = hour_of(await store.schedules.now_us())
        failed = {"hour_us": hour_us, "agent": SECOND, "version": VERSIONS}
        await store.engine.write(lambda tx: tx.run(FAILED, failed))
        await loaded_again(page)
        await expect(page.get_by_role("heading", name=f"{SECOND} is failing")).to_be_visible()
        assert await has_focus(way_back)

        await page.goto(f"{busy.url}/ui/runs")
        newest = page.locator("table.runs tbody tr td:nth-child(2) a").first
        run = page.locator(f"table.runs a[href='{await newest.get_attribute('href')}']")
        await run.focus()
        await loaded_again(page)
        assert await has_focus(run)
        new = await busy.json("POST", "/v1/runs", {"agent": SECOND}, status=201)
        await loaded_again(page)
        await expect(newest).to_have_attribute("href", re.compile(new["id"]))  # the page asks by itself, too
        assert await has_focus(run)


async def test_a_run_s_page_keeps_the_focus_while_the_run_goes_on(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, worker=True) as server, desk(browser) as visitor:
        await server.local.deploy("slowly", {"agent.py": SLOWLY}, toml=FUNCTION)
        run_id = await server.local.submit("slowly")
        await server.local.until_state(run_id, RunState.RUNNING)
        await visitor.log_in(server.url, server.key)
        page = await visitor.tab(f"{server.url}/ui/runs/{run_id}")
        cancel = page.locator("#confirm-cancel summary")
        await cancel.focus()
        await page.keyboard.press("Enter")
        sure = page.get_by_role("button", name="Cancel the run")
        for element in (cancel, sure):
            await element.focus()
            old = await element.element_handle()
            assert old is not None
            await page.wait_for_function("element => !element.isConnected", arg=old)
            assert await has_focus(element)
        await page.keyboard.press("Enter")
        await expect(page.locator(".verdict .status")).to_have_text("cancelled")

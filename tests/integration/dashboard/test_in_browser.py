"""The pages in a real browser: both themes and widths, accessible, live, and without scripts."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, expect
from tests.chromium import desk, findings, fits, until
from tests.served import FUNCTION, Served, served
from tests.wire import wire_to

from ao.bus import build_topic
from ao.domain.run import RunState
from ao.ids import new_deployment_id
from ao.store.records import NewDeployment
from ao.testing.many_runs import AGENTS, VERSIONS

FIRST = AGENTS[0]
PAGES = (
    "/",
    "/inbox",
    "/inbox/ended",
    "/failures",
    "/failures?agent=billing&all=true",
    "/agents",
    f"/agents/{FIRST}",
    f"/agents/{FIRST}/rollback?to=3",
    f"/agents/{FIRST}/deployments/{VERSIONS}",
    "/deployments",
    "/runs",
    "/runs?state=failed&q=KeyError",
    "/runs?q=nothing",
    "/schedules",
    "/sessions",
    "/assistants",
    "/workers",
)
GOOD = {"agent.py": "def work(task):\n    return {'ok': True}\n"}
BROKEN = {"agent.py": "def work(task):\n    raise ValueError('broken by a release')\n"}
ASKING = {
    "agent.py": """
from ao_runner import ask

def work(task):
    return ask(task["ask"], schema={"title": "a number", "type": "integer"})
"""
}
ONCE = f"{FUNCTION}\nretries = 0"
NEVER_US = 3_600_000_000
"""The lease of a build that goes on as long as a test."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        yield running


class TestEveryPage:
    @pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
    @pytest.mark.parametrize("theme", ["light", "dark"])
    async def test_it_is_accessible_fits_and_breaks_no_rule(
        self, busy: Served, browser: Browser, theme: Literal["light", "dark"], narrow: bool
    ) -> None:
        async with desk(browser, theme=theme, narrow=narrow) as visitor:
            login = await visitor.tab(f"{busy.url}/ui/login")
            assert await findings(login) == []
            await visitor.log_in(busy.url, busy.key)
            page = await visitor.tab()
            for path in PAGES:
                await page.goto(f"{busy.url}/ui{path}")
                assert await findings(page) == [], path
                assert await fits(page), f"{path} is wider than the window"
                await expect(page.locator(".sections [aria-current]")).to_be_in_viewport(ratio=1)
            visitor.allowed.append("404")
            await page.goto(f"{busy.url}/ui/nothing")
            assert await findings(page) == []

    async def test_the_chosen_theme_wins_over_the_system_s(self, busy: Served, browser: Browser) -> None:
        async with desk(browser, theme="light") as visitor:
            await visitor.log_in(busy.url, busy.key)
            page = await visitor.tab(f"{busy.url}/ui/runs?state=failed")
            before = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            await page.get_by_role("button", name="Dark").click()
            await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
            assert page.url.endswith("/ui/runs?state=failed")
            after = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            assert before != after


class TestLive:
    async def test_a_run_appears_and_ends_without_a_reload(self, server: Served, browser: Browser) -> None:
        await server.local.deploy("support", GOOD, toml=ONCE)
        async with desk(browser) as visitor:
            await visitor.log_in(server.url, server.key)
            page = await visitor.tab(f"{server.url}/ui/runs")
            await expect(page.get_by_text("No runs yet")).to_be_visible()
            await page.evaluate("window.same = true")
            run = await server.local.run("support", {})
            row = page.locator("tr", has=page.locator(f"a[href$='{run.id}']"))
            await expect(row).to_contain_text("completed")
            assert await page.evaluate("window.same")

    async def test_what_is_being_selected_is_left_alone(self, busy: Served, browser: Browser) -> None:
        async with desk(browser) as visitor:
            await visitor.log_in(busy.url, busy.key)
            page = await visitor.tab()
            await page.clock.install()
            await page.goto(f"{busy.url}/ui/runs")
            cell = page.locator("tbody tr").first
            await cell.evaluate("element => document.getSelection().selectAllChildren(element)")
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            await page.clock.run_for(20_000)
            assert asked == []
            await page.evaluate("document.getSelection().removeAllRanges()")
            async with page.expect_request("**/ui/runs"):
                await page.clock.run_for(20_000)

    async def test_a_build_s_log_comes_line_by_line_and_ends_with_the_build(
        self, server: Served, browser: Browser
    ) -> None:
        await server.local.deploy("support", GOOD, toml=ONCE)
        store, bus = server.services.store.deployments, server.services.bus
        first = await store.get("support", 1)
        building = await store.create(
            NewDeployment(new_deployment_id(), "support", "key:test", first.source_digest, lease_us=NEVER_US)
        )

        async def write(*texts: str) -> None:
            await store.append_log(building.id, [(1, text) for text in texts])
            bus.publish(build_topic(building.id))

        async with (
            wire_to(server.url) as wire,
            desk(browser) as visitor,
            desk(browser, scripts=False) as plain,
        ):
            visitor.allowed.append("ERR_")  # connections are cut below
            await visitor.log_in(wire.url, server.key)
            await plain.log_in(server.url, server.key)
            path = "/ui/agents/support/deployments/2"
            page, without = await visitor.tab(wire.url + path), await plain.tab(server.url + path)
            await page.evaluate("window.same = true")
            await expect(page.get_by_text("It becomes live when the build succeeds.")).to_be_visible()
            await expect(page.locator("ao-build")).to_have_attribute("data-live", "on")
            lines = page.locator("ol.lines li span")
            for count in (1, 2, 3):
                await write(f"resolving {count}")
                await expect(lines).to_have_text([f"resolving {number + 1}" for number in range(count)])
            wire.cut()
            await write("resolving 4", "resolving 5")
            await expect(lines).to_have_text([f"resolving {number}" for number in range(1, 6)])
            await without.get_by_role("button", name="Load newer lines").click()
            await expect(without.locator("ol.lines li")).to_have_count(5)
            await write("failed: no such package: nothing")
            await store.fail(building.id, "no such package: nothing")
            bus.publish(build_topic(building.id))
            await expect(page.get_by_text("The build failed; v1 stays live")).to_be_visible()
            await expect(page.locator("h1 .status")).to_have_text("failed")
            await expect(page.locator("ol.lines li.is-bad span")).to_have_text(
                "failed: no such package: nothing"
            )
            assert await page.evaluate("window.same")


class TestInbox:
    async def test_what_was_typed_stays_while_new_questions_come(
        self, server: Served, browser: Browser
    ) -> None:
        await server.local.deploy("asker", ASKING, toml=ONCE)
        first = await server.local.submit("asker", {"ask": "first?"})
        await server.local.until_state(first, RunState.PAUSED)
        async with desk(browser) as visitor:
            await visitor.log_in(server.url, server.key)
            page = await visitor.tab()
            await page.clock.install()
            await page.goto(f"{server.url}/ui/inbox")
            comment = page.get_by_label("Comment (optional), kept with the answer")
            await comment.fill("Half of")
            await comment.blur()
            second = await server.local.submit("asker", {"ask": "second?"})
            await server.local.until_state(second, RunState.PAUSED)
            await page.clock.run_for(20_000)
            await expect(comment).to_have_value("Half of")
            await comment.fill("")
            await comment.blur()
            await page.clock.resume()
            await expect(page.get_by_role("heading", name="second?")).to_be_visible()
            card = page.locator("article", has=page.get_by_role("heading", name="first?"))
            await card.get_by_label("a number").fill("12")
            await card.get_by_role("button", name="Answer", exact=True).click()
            await page.wait_for_url(f"**/runs/{first}/questions/**")
            await expect(page.get_by_text("Answered by key:local")).to_be_visible()
            assert await server.local.output(await server.local.result(first)) == 12
            await server.json("POST", f"/v1/runs/{second}/cancel")


class TestStories:
    @pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
    async def test_from_the_alarm_to_the_release_before(
        self, server: Served, browser: Browser, scripts: bool
    ) -> None:
        await server.local.deploy("support", GOOD, toml=ONCE)
        await server.local.run("support", {})
        await server.local.deploy("support", BROKEN, toml=ONCE)
        await server.local.run("support", {})
        async with desk(browser, scripts=scripts) as visitor:
            page = await visitor.tab(f"{server.url}/ui/")
            await page.get_by_label("API key").fill(server.key)
            await page.get_by_role("button", name="Log in with a key").click()
            await expect(page.get_by_role("heading", name="support is failing since v2")).to_be_visible()
            await page.get_by_role("link", name="Show the log").click()
            await expect(page.get_by_text("broken by a release").first).to_be_visible()
            await page.get_by_role("link", name="Home").click()
            await page.get_by_role("link", name="Roll back to v1").click()
            await expect(page.get_by_role("heading", name="Roll support back to v1?")).to_be_visible()
            await page.get_by_label("Reason, kept in the history").fill("errors since the release")
            await page.get_by_role("button", name="Roll back to v1").click()
            await expect(page.get_by_text("taken back from v2 by key:local")).to_be_visible()
            after = await server.local.run("support", {})
            await page.goto(f"{server.url}/ui/runs?state=completed")
            row = page.locator("tr", has=page.locator(f"a[href$='{after.id}']"))
            await expect(row).to_contain_text("v1")

    async def test_filters_apply_as_they_are_chosen(self, busy: Served, browser: Browser) -> None:
        async with desk(browser) as visitor:
            await visitor.log_in(busy.url, busy.key)
            page = await visitor.tab(f"{busy.url}/ui/runs")
            await page.get_by_label("Agent").select_option(FIRST)
            await page.wait_for_url(f"**/runs?agent={FIRST}&**")
            await page.get_by_role("checkbox", name="failed").check(force=True)
            await page.wait_for_url("**state=failed**")
            await page.get_by_label("Error or id").fill("out of memory")
            await page.get_by_label("Error or id").press("Enter")
            await page.wait_for_url("**q=out+of+memory**")
            await expect(page.get_by_label("Error or id")).to_have_value("out of memory")
            rows = page.locator("table.runs tbody tr")
            await expect(rows.first).to_contain_text("out of memory")
            for row in await rows.all():
                await expect(row).to_contain_text("out of memory")
            await page.get_by_role("link", name="Clear").click()
            await page.wait_for_url("**/ui/runs")

    async def test_a_command_is_copied(self, busy: Served, browser: Browser) -> None:
        async with desk(browser) as visitor:
            await visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
            await visitor.log_in(busy.url, busy.key)
            page = await visitor.tab(f"{busy.url}/ui/agents/{FIRST}/rollback?to=3")
            await page.get_by_role("button", name="Copy the command").click()

            async def copied() -> bool:
                said = await page.evaluate("navigator.clipboard.readText()")
                return bool(said == f"ao rollback {FIRST} --to v3")

            await until(copied)

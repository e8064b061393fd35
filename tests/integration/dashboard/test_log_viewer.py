"""The log of a run in a real browser: live, complete, searched, linked to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import JsonValue
from tests.chromium import Desk, desk, kept, until, until_line
from tests.served import Served, served

from ao.bus.local import LocalBus

AGENT = r"""
import sys, time

def work(task):
    for number in range(task.get("lines", 0)):
        print(f"line {number}", flush=True)
        time.sleep(task.get("pause", 0))
    for text in task.get("texts", []):
        print(text, flush=True)
    for text in task.get("errors", []):
        print(text, file=sys.stderr, flush=True)
    if "fail" in task:
        raise ValueError(task["fail"])
    return "done"
"""
TOML = 'entrypoint = "agent:work"\nretries = { max_retries = 1, initial_delay = 0.05, jitter = false }'


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, {"AO_SLOTS": "12"}, worker=True) as running:
        await running.local.deploy("talker", {"agent.py": AGENT}, toml=TOML)
        yield running


@pytest.fixture
async def visitor(server: Served, browser: Browser) -> AsyncIterator[Desk]:
    async with desk(browser) as found:
        await found.log_in(server.url, server.key)
        yield found


async def stored(server: Served, run_id: str) -> list[tuple[int, int, str]]:
    lines = await server.json("GET", f"/v1/runs/{run_id}/logs")
    return [(line["seq"], line["index"], line["text"]) for line in lines]


async def until_whole(server: Served, page: Page, run_id: str) -> None:
    """Wait until the page has all lines of a run that has ended, from the first that it has: what has come is
    added with the next picture."""
    everything = await stored(server, run_id)

    async def whole() -> bool:
        lines = await kept(page)
        return bool(lines) and lines == everything[-len(lines) :]

    await until(whole)


async def test_lines_come_one_by_one_and_the_page_follows_the_run_to_its_end(
    server: Served, visitor: Desk
) -> None:
    run_id = await server.local.submit("talker", {"lines": 60, "pause": 0.05})
    page = await visitor.tab(f"{server.url}/ui/runs/{run_id}")
    await until_line(page, "line 30")
    await expect(page.locator(".verdict .status")).to_have_text("completed")
    await expect(page.locator(".verdict p")).to_contain_text("Completed in")
    await expect(page.get_by_text("line 59", exact=True)).to_be_visible()
    await expect(page.locator('[data-part="values"]')).to_contain_text('"done"')
    assert await kept(page) == await stored(server, run_id)


async def test_a_retry_is_set_apart_with_its_cause(server: Served, visitor: Desk) -> None:
    run_id = await server.local.submit("talker", {"lines": 10, "pause": 0.05, "fail": "no luck"})
    page = await visitor.tab(f"{server.url}/ui/runs/{run_id}")
    await expect(page.locator(".verdict p")).to_contain_text("Failed after 2 attempts")
    await expect(page.locator(".verdict p")).to_contain_text("ValueError: no luck in agent.py:13")
    await expect(page.locator(".line.attempt")).to_have_text("Attempt 2 · after ValueError: no luck")
    await page.reload()
    await expect(page.locator(".line.attempt")).to_have_text("Attempt 2 · after ValueError: no luck")
    await expect(page.locator(".waterfall .span")).to_have_count(2)


async def test_a_long_log_is_complete_whatever_was_in_the_page_at_first(server: Served, visitor: Desk) -> None:
    run = await server.local.run("talker", {"lines": 6000})
    page = await visitor.tab(f"{server.url}/ui/runs/{run.id}")
    await expect(page.get_by_text("line 5999", exact=True)).to_be_visible()
    assert len(await kept(page)) == 500
    assert await page.locator(".log-last .line").count() < 120  # only what is seen is in the document
    box = page.locator(".log-last")

    async def all_there() -> bool:
        await box.press("Home")
        return len(await kept(page)) == 6000

    await until(all_there)
    assert await kept(page) == await stored(server, run.id)
    await box.press("Home")  # what was seen stayed in place when earlier lines came above it
    await expect(page.get_by_text("line 0", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Jump to the end").click()
    await expect(page.get_by_text("line 5999", exact=True)).to_be_visible()


async def test_a_link_leads_to_its_line(server: Served, visitor: Desk) -> None:
    run = await server.local.run("talker", {"lines": 5000})
    seq, index, _ = next(line for line in await stored(server, run.id) if line[2] == "line 77")
    page = await visitor.tab(f"{server.url}/ui/runs/{run.id}#L{seq}.{index}")
    await expect(page.locator(".line.target .text")).to_have_text("line 77")
    await expect(page.locator(".line.target")).to_be_in_viewport()


async def test_the_whole_log_is_searched_on_the_server(server: Served, visitor: Desk) -> None:
    errors: list[JsonValue] = ["\x1b[31mred\x1b[0m 🎉 needle"]
    run = await server.local.run("talker", {"lines": 3000, "errors": errors})
    page = await visitor.tab(f"{server.url}/ui/runs/{run.id}")
    results, said = page.locator(".log-results"), page.locator(".log-said")
    query = page.get_by_label("Search the whole log")
    await query.fill("line 7")
    await expect(said).to_have_text("111 lines match.")
    await expect(results.locator("mark").first).to_have_text("line 7")
    await query.fill("NEEDLE")
    await expect(said).to_have_text("1 line matches.")
    await expect(results.locator("mark")).to_have_text("needle")
    await query.fill("^line 1.5$")
    await page.get_by_label("Regex").check()
    await expect(said).to_have_text("10 lines match.")
    visitor.allowed.append("422")
    await query.fill("(")
    await expect(said).to_contain_text("is not a regular expression")
    await query.fill("")
    await page.get_by_label("Stream").select_option("stderr")
    await expect(said).to_have_text("1 line matches.")
    await results.locator("a.at").click()
    await expect(page.locator(".line.target .text")).to_have_text("red 🎉 needle")
    await expect(results).to_be_hidden()


async def test_a_part_of_the_log_is_chosen_by_time(server: Served, visitor: Desk, browser: Browser) -> None:
    run = await server.local.run("talker", {"lines": 5, "pause": 1.1})
    lines = await server.json("GET", f"/v1/runs/{run.id}/logs")
    seconds = sorted({line["at"][:19] for line in lines})  # as the fields have them
    since, until = seconds[1], seconds[-1]
    between = [line["text"] for line in lines if since <= line["at"][:19] < until]
    assert 0 < len(between) < 5
    page = await visitor.tab(f"{server.url}/ui/runs/{run.id}")
    await page.get_by_text("Time range").click()
    await page.get_by_label("From").fill(since)
    await page.get_by_label("before").fill(until)
    await expect(page.locator(".log-said")).to_contain_text(f"{len(between)} line")
    await expect(page.locator(".log-results .text")).to_have_text(between)
    async with desk(browser, scripts=False) as plain:
        await plain.log_in(server.url, server.key)
        page = await plain.tab(f"{server.url}/ui/runs/{run.id}")
        await page.get_by_text("Time range").click()
        await page.get_by_label("From").fill(since)
        await page.get_by_label("before").fill(until)
        await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_role("region", name="Lines found").locator(".text")).to_have_text(between)


async def test_colours_long_lines_and_what_was_cut_are_seen(server: Served, visitor: Desk) -> None:
    texts: list[JsonValue] = [
        "\x1b[1;32mgreen\x1b[0m plain \x1b[38;2;10;20;30mrgb\x1b[0m",
        "10%\r100%",
        "y" * 5000,
        "z" * 1_000_000,
    ]
    errors: list[JsonValue] = ["<b>no markup</b>"]
    run = await server.local.run("talker", {"texts": texts, "errors": errors})
    for scripts in (True, False):
        async with desk(visitor.context.browser, scripts=scripts) as other:  # type: ignore[arg-type]
            await other.log_in(server.url, server.key)
            page = await other.tab(f"{server.url}/ui/runs/{run.id}")
            await expect(page.locator(".ansi-green.ansi-bold")).to_have_text("green")
            await expect(page.get_by_text("100%", exact=True)).to_be_visible()
            await expect(page.get_by_text("3,000 more characters")).to_be_visible()
            await expect(page.locator(".line.is-cut .mark")).to_have_text("cut")
            await expect(page.locator(".line.stderr .text")).to_have_text("<b>no markup</b>")
            if scripts:
                rgb = page.get_by_text("rgb", exact=True)
                await expect(rgb).to_have_css("color", "rgb(10, 20, 30)")
                await page.get_by_text("3,000 more characters").click()
                await expect(page.locator(".line.expanded .text")).to_have_text("y" * 5000)


async def test_without_scripts_there_is_the_end_of_the_log_and_a_search(
    server: Served, browser: Browser
) -> None:
    run = await server.local.run("talker", {"lines": 700})
    async with desk(browser, scripts=False) as plain:
        await plain.log_in(server.url, server.key)
        page = await plain.tab(f"{server.url}/ui/runs/{run.id}")
        assert await page.locator(".log-last .line").count() == 500
        await expect(page.get_by_text("line 699", exact=True)).to_be_attached()
        await page.get_by_label("Search the whole log").fill("line 10")
        await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_text("11 lines found.")).to_be_visible()
        await expect(page.locator("mark").first).to_have_text("line 10")


async def test_ten_tabs_are_live_over_one_connection(server: Served, visitor: Desk) -> None:
    """Browsers open six connections to a host: ten streams of their own would starve each other."""
    runs = [await server.local.submit("talker", {"lines": 100_000, "pause": 0.1}) for _ in range(10)]
    pages = [await visitor.tab(f"{server.url}/ui/runs/{run_id}") for run_id in runs]
    for page in pages:
        count = len(await kept(page))

        async def grows(page: Page = page, count: int = count) -> bool:
            return len(await kept(page)) > count + 5

        await until(grows)
    assert open_streams(server) >= set(runs)
    await pages[9].get_by_label("Search the whole log").fill("line 1")
    await expect(pages[9].locator(".log-results mark").first).to_be_visible()
    for run_id, page in zip(runs, pages, strict=True):
        await server.json("POST", f"/v1/runs/{run_id}/cancel")
        await expect(page.locator(".verdict .status")).to_have_text("cancelled")
        await until_whole(server, page, run_id)


def open_streams(server: Served) -> set[str]:
    """The runs that somebody follows now."""
    bus = server.local.platform.bus
    assert isinstance(bus, LocalBus)
    return {topic.removeprefix("run:") for topic in bus.topics if topic.startswith("run:")}


async def test_a_hidden_tab_holds_no_stream_and_catches_up(server: Served, visitor: Desk) -> None:
    run_id = await server.local.submit("talker", {"lines": 2000, "pause": 0.05})
    page = await visitor.tab(f"{server.url}/ui/runs/{run_id}")
    await until_line(page, "line 10")

    async def opened() -> bool:
        return run_id in open_streams(server)

    async def closed() -> bool:
        return run_id not in open_streams(server)

    await until(opened)
    await show(page, "hidden")
    await until(closed)
    sent = len(await stored(server, run_id))

    async def missed() -> bool:
        return len(await stored(server, run_id)) > sent + 20

    await until(missed)
    assert len(await kept(page)) <= sent
    await server.json("POST", f"/v1/runs/{run_id}/cancel")
    await show(page, "visible")
    await expect(page.locator(".verdict .status")).to_have_text("cancelled")
    await until_whole(server, page, run_id)
    assert len(await kept(page)) > sent + 20


async def show(page: Page, state: str) -> None:
    """As if the tab were hidden, or looked at: headless tabs are always visible."""
    await page.evaluate(
        """state => {
            const say = (name, value) => Object.defineProperty(document, name, { value, configurable: true });
            say('visibilityState', state);
            say('hidden', state === 'hidden');
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        state,
    )

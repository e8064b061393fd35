"""A real, headless Chromium: started, spoken to, and tabs that collect what goes wrong in them."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""A test run that is killed cannot clean up."""
START_SECONDS = 180.0
SERIOUS = {"serious", "critical"}
"""What axe calls the findings that keep people out."""
PATIENCE_MS = 120_000
"""How long a page may take to show what is expected of it; far above what any needs."""

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}


class running_chromium:  # noqa: N801 - used as a context manager's function
    """Chromium in a process group of its own; all of it is gone afterwards."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile

    def __enter__(self) -> str:
        log = (self._profile / "chromium.log").open("wb")
        self._process = subprocess.Popen(
            [*DIES_WITH_US, CHROMIUM, *FLAGS, f"--user-data-dir={self._profile / 'profile'}", "about:blank"],
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(self._profile)},
            start_new_session=True,
        )
        log.close()
        told = self._profile / "profile" / "DevToolsActivePort"
        deadline = time.monotonic() + START_SECONDS
        while not (told.exists() and told.read_text().count("\n")):
            late = time.monotonic() > deadline or self._process.poll() is not None
            assert not late, (self._profile / "chromium.log").read_text()[-2000:]
            time.sleep(0.05)
        return f"http://127.0.0.1:{told.read_text().splitlines()[0]}"

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(address, timeout=START_SECONDS * 1000)


class Desk:
    """A profile of the browser with its tabs. What goes wrong in any of them is collected."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.problems: list[str] = []
        self.allowed: list[str] = []
        """Patterns of problems that a test causes on purpose."""

    async def log_in(self, url: str, key: str) -> None:
        """By a link for once, in a tab that is closed again."""
        page = await self.tab()
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
            made = await http.post("/v1/login-links", headers={"authorization": f"Bearer {key}"})
            assert made.status_code == 201, made.text
        await page.goto(url + made.json()["path"])
        await page.wait_for_url("**/ui/")
        await page.close()

    async def tab(self, url: str | None = None) -> Page:
        page = await self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)
        if url is not None:
            await page.goto(url)
        return page

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _on_failed(self, request: Any) -> None:
        # A page that is left, and a stream that is closed, abort what they have asked for.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"request: {request.url}: {request.failure}")

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"answer: {response.status} {response.url}")

    def check(self) -> None:
        """Fails when a script, the policy or a request failed."""
        bad = [text for text in self.problems if not any(re.search(each, text) for each in self.allowed)]
        assert not bad, "\n".join(bad)


@asynccontextmanager
async def desk(
    browser: Browser,
    *,
    theme: Literal["light", "dark"] = "light",
    narrow: bool = False,
    scripts: bool = True,
) -> AsyncIterator[Desk]:
    """A fresh profile; afterwards nothing may have gone wrong in its tabs."""
    context = await browser.new_context(
        viewport=NARROW if narrow else WIDE,  # type: ignore[arg-type]
        color_scheme=theme,
        java_script_enabled=scripts,
        locale="en-GB",
        timezone_id="UTC",
    )
    found = Desk(context)
    try:
        yield found
        found.check()
    except BaseException as error:
        if found.problems:
            error.add_note("in its tabs:\n" + "\n".join(found.problems))
        raise
    finally:
        await context.close()


async def kept(page: Page) -> list[tuple[int, int, str]]:
    """(seq, index, text) of the log lines that the page of a run has, whether they are in view or not."""
    found: Any = await page.evaluate(
        "() => document.querySelector('ao-log').kept.map(line => [line.seq, line.index, line.text])"
    )
    return [(seq, index, text) for seq, index, text in found]


async def until_line(page: Page, text: str) -> None:
    """Wait until the page of a run has a log line. Only lines in view are in the document, and they move."""
    await page.wait_for_function(
        "text => document.querySelector('ao-log').kept?.some(line => line.text === text)",
        arg=text,
        timeout=PATIENCE_MS,
    )


async def until(condition: Any, seconds: float = PATIENCE_MS / 1000) -> None:
    """Wait until an async condition holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)


async def findings(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    await page.evaluate(Path(AXE_FILE_PATH).read_text())
    found: dict[str, Any] = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


async def fits(page: Page) -> bool:
    """Whether a page is not wider than its window."""
    width, room = await page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    return bool(width <= room)

"""The log viewer under load: 100,000 lines at 1,000 lines/s into one page. `python -m benchmarks.log_viewer`.

It prints the heap of the page after a garbage collection, the CPU time of the renderers, and how long the
page's main thread was busy for each picture. A picture every 16.7 ms is what a screen shows at most.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page
from tests.chromium import connected, desk, running_chromium
from tests.served import served

AGENT = r"""
import sys, time

def work(task):
    lines, rate = task["lines"], task["rate"]
    begun = time.monotonic()
    for number in range(lines):
        level = ("\x1b[32mINFO\x1b[0m", "\x1b[33mWARN\x1b[0m")[number % 10 == 0]
        print(f"{level} request {number} took {number % 97} ms, customer {number * 7919 % 100_003}, eu-west")
        if number % 20 == 19:
            sys.stdout.flush()
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
"""
TOML = 'entrypoint = "agent:work"\ntimeout = "1h"'

WATCH = """() => {
    window.busy = [];
    window.gaps = [];
    let before = performance.now();
    const channel = new MessageChannel();
    let begun = 0;
    channel.port1.onmessage = () => window.busy.push(performance.now() - begun);
    const picture = now => {
        window.gaps.push(now - before);
        before = now;
        begun = performance.now();
        channel.port2.postMessage(0);
        requestAnimationFrame(picture);
    };
    requestAnimationFrame(picture);
}"""


async def heap_bytes(page: Page) -> int:
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = await session.send("Runtime.getHeapUsage")
    return int(usage["usedSize"])


async def cpu_seconds(browser: Browser) -> float:
    """What all renderers of the browser have used; other programs on the machine do not change it."""
    session = await browser.new_browser_cdp_session()
    found: dict[str, Any] = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return sum(float(each["cpuTime"]) for each in found["processInfo"] if each["type"] == "renderer")


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


async def main(lines: int, rate: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        async with served(root, worker=True) as server:
            await server.local.deploy(
                "talker", {"agent.py": AGENT}, toml='entrypoint = "agent:work"\ntimeout = "1h"'
            )
            with running_chromium(root) as address:
                async with connected(address) as browser, desk(browser) as visitor:
                    await visitor.log_in(server.url, server.key)
                    page = await visitor.tab(f"{server.url}/ui/runs")
                    empty = await heap_bytes(page)
                    run_id = await server.local.submit("talker", {"lines": lines, "rate": rate})
                    await page.goto(f"{server.url}/ui/runs/{run_id}")
                    await page.evaluate(WATCH)
                    cpu_before = await cpu_seconds(browser)
                    wait = "() => document.querySelector('.verdict .status').textContent.trim() === 'completed'"
                    await page.wait_for_function(wait, timeout=lines / rate * 10_000 + 120_000)
                    cpu = await cpu_seconds(browser) - cpu_before
                    count = await page.evaluate("document.querySelector('ao-log').kept.length")
                    busy = await page.evaluate("window.busy")
                    gaps = await page.evaluate("window.gaps")
                    nodes = await page.evaluate("document.querySelectorAll('*').length")
                    run = await server.local.result(run_id)
                    full = await heap_bytes(page)
    took = ((run.finished_us or 0) - (run.started_us or 0)) / 1e6
    print(
        json.dumps(
            {
                "lines": count,
                "seconds": round(took, 1),
                "lines_per_second": round(count / took),
                "heap_before_mib": round(empty / 2**20, 1),
                "heap_after_mib": round(full / 2**20, 1),
                "elements": nodes,
                "pictures": len(gaps),
                "cpu_seconds": round(cpu, 2),
                "cpu_ms_per_picture": round(1000 * cpu / len(gaps), 2),
                "busy_ms_p50": round(share(busy, 0.5), 2),
                "busy_ms_p99": round(share(busy, 0.99), 2),
                "busy_ms_max": round(max(busy), 1),
                "between_pictures_ms_p50": round(share(gaps, 0.5), 1),
                "between_pictures_ms_p99": round(share(gaps, 0.99), 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1000)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.lines, chosen.rate))

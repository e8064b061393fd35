"""Pictures of every page of the dashboard, of a platform with agents that work and agents that fail.

`make screenshots` writes them into `docs/images`: each page, light and dark, at 1280 and at 390 pixels.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.async_api import Page  # noqa: E402
from pydantic import JsonValue  # noqa: E402
from tests.chromium import NARROW, WIDE, connected, desk, running_chromium  # noqa: E402
from tests.served import Served, served  # noqa: E402

from ao.domain.run import RunState  # noqa: E402

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 1_500_000
"""Of all pictures together."""

SUPPORT = r"""
import sys, time
from ao_runner import span, step

@step
def search(source):
    time.sleep(0.4)
    return {"source": source, "hits": 3}

@step
def draft(hits):
    time.sleep(0.7)
    return f"Your order is on its way ({hits} sources)."

def work(task):
    print(f"\x1b[1mticket {task['ticket']}\x1b[0m from {task['customer']}", flush=True)
    with span("gather"):
        for source in ("orders", "faq", "tickets"):
            found = search(source)
            print(f"  \x1b[32m✓\x1b[0m {source}: {found['hits']} hits", flush=True)
    print("carrier answers slowly, going on without it", file=sys.stderr, flush=True)
    text = draft(9)
    for number in range(task.get("pages", 6)):
        print(f"  wrote paragraph {number + 1}", flush=True)
        time.sleep(task.get("pause", 0.1))
    return {"ticket": task["ticket"], "reply": text}
"""
REFUNDS = r"""
from ao_runner import approve, ask, session, step

@step
def look_up(order):
    return {"order": order, "paid": 1250, "customer": "Grace"}

def work(task):
    if "text" in task:
        session.state["orders"] = ["A-15"]
        session.add("user", task["text"])
        session.add("assistant", "Order A-15 was refunded yesterday. Is there anything else?")
        (session.workspace / "summary.md").write_text("Grace asked for order A-15.\n")
        return {}
    found = look_up(task["order"])
    if task.get("ask"):
        return ask("How much goes back?", schema=task["ask"], details=found, timeout=86400)
    decision = approve(f"Refund 12.50 to {found['customer']}?", details=found, timeout=7200)
    return {"approved": bool(decision)}
"""
HOW_MUCH: JsonValue = {
    "type": "object",
    "required": ["cents", "tone"],
    "properties": {
        "cents": {"type": "integer", "minimum": 0, "maximum": 1250, "description": "In cents; paid were 1250"},
        "tone": {"enum": ["warm", "formal"], "default": "warm"},
        "note": {"type": "string", "title": "Note for the customer"},
    },
}
BROKEN = SUPPORT.replace('"reply": text', '"reply": text, "to": task["email"]')
REPORT = "def work(task):\n    print('42 invoices')\n    return {'invoices': 42}\n"
QUICK = 'entrypoint = "agent:work"\nretries = { max_retries = 2, initial_delay = 1.2, jitter = false }'
TICKETS: tuple[dict[str, JsonValue], ...] = (
    {"ticket": 4711, "customer": "Ada"},
    {"ticket": 4712, "customer": "Grace"},
)


async def prepare(server: Served) -> dict[str, str]:
    """Deploy and run; the pages to take, by name."""
    local = server.local
    await local.deploy("support", {"agent.py": SUPPORT}, toml=QUICK)
    await local.deploy("reports", {"agent.py": REPORT}, toml='entrypoint = "agent:work"\ncron = "0 7 * * 1-5"')
    good = [await local.run("support", ticket) for ticket in TICKETS]
    for _ in range(3):
        await local.run("reports", {})
    await local.deploy("support", {"agent.py": BROKEN}, toml=QUICK)
    bad = await asyncio.gather(*(local.run("support", ticket) for ticket in TICKETS))
    await local.deploy("refunds", {"agent.py": REFUNDS}, toml='entrypoint = "agent:work"\nretries = 0')
    brief = {
        "name": "brief",
        "agent": "support",
        "description": "Short answers",
        "message": "For the night shift",
    }
    await server.json("POST", "/v1/assistants", {**brief, "overrides": {"retries": 1}}, status=201)
    change = {"overrides": {"timeout": "2m"}, "message": "Gives up sooner"}
    await server.json("PATCH", "/v1/assistants/brief", change)
    answered = await local.submit("refunds", {"order": "A-15"})
    await local.until_state(answered, RunState.PAUSED)
    given = {"approved": True, "comment": "Within the limit"}
    await server.json("POST", f"/v1/runs/{answered}/answer", given)
    await local.result(answered)
    for text in ("Where is my refund?", "No, thank you"):
        await local.run("refunds", {"text": text}, session="grace")
    asking = await local.submit("refunds", {"order": "A-16", "ask": HOW_MUCH})
    await local.until_state(asking, RunState.PAUSED)
    approving = await local.submit("refunds", {"order": "A-17"})
    await local.until_state(approving, RunState.PAUSED)
    replay = await local.platform.services.replays.replay(
        bad[1].id, scratch=False, version=1, actor="key:local"
    )
    await local.result(replay.run.id)
    (group,) = await server.json("GET", "/v1/dead-letters/groups?all=true")
    letters = f"/agents/support/failures/{group['fingerprint']}"
    await local.platform.services.schedules.trigger("reports", "cron", "key:local")
    live = await local.submit("support", {**TICKETS[0], "pages": 100_000, "pause": 0.5})
    await local.until_line(live, "  wrote paragraph 3")
    return {
        "home": "/",
        "agents": "/agents",
        "agent": "/agents/support",
        "rollback": "/agents/support/rollback?to=1",
        "deployments": "/deployments",
        "deployment": "/agents/support/deployments/2",
        "diff": "/agents/support/diff?before=1&after=2",
        "runs": "/runs",
        "run-failed": f"/runs/{bad[0].id}",
        "run-completed": f"/runs/{good[0].id}",
        "run-live": f"/runs/{live}",
        "run-again": f"/runs/{bad[0].id}/again",
        "run-paused": f"/runs/{asking}",
        "run-replayed": f"/runs/{replay.run.id}",
        "run-replay": f"/runs/{bad[0].id}/replay",
        "run-fork": f"/runs/{bad[0].id}/fork",
        "schedules": "/schedules",
        "workers": "/workers",
        "schedule": "/agents/reports/schedules/cron",
        "sessions": "/sessions",
        "session": "/agents/refunds/sessions/grace",
        "session-history": "/agents/refunds/sessions/grace/history",
        "session-files": "/agents/refunds/sessions/grace/files",
        "assistants": "/assistants",
        "assistant": "/agents/support/assistants/brief",
        "inbox": "/inbox",
        "inbox-ended": "/inbox/ended",
        "failures": "/failures?all=true",
        "failure": f"{letters}?show=replayed",
        "failure-replay": f"{letters}/replay",
    }


async def take(page: Page, url: str, target: Path) -> None:
    await page.goto(url)
    await page.locator("main").wait_for()
    if "/runs/" in url:
        await page.wait_for_timeout(1500)  # a picture of a log has lines in it
    await page.screenshot(path=target, full_page=False, scale="css", animations="disabled")


async def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with served(Path(scratch), worker=True) as server:
            pages = await prepare(server)
            with running_chromium(Path(scratch)) as address:
                async with connected(address) as browser:
                    for theme in ("light", "dark"):
                        for narrow in (False, True):
                            async with desk(browser, theme=theme, narrow=narrow) as visitor:
                                await visitor.log_in(server.url, server.key)
                                page = await visitor.tab()
                                width = (NARROW if narrow else WIDE)["width"]
                                for name, path in pages.items():
                                    file = target / f"{name}-{theme}-{width}.png"
                                    await take(page, f"{server.url}/ui{path}", file)
            live = pages["run-live"].rpartition("/")[2]
            await server.json("POST", f"/v1/runs/{live}/cancel")


def tell(target: Path) -> None:
    """How much there is now."""
    sizes = [file.stat().st_size for file in target.glob("*.png")]
    print(f"{len(sizes)} pictures, {sum(sizes):,} bytes, in {target}")
    if sum(sizes) > MOST_BYTES:
        print(f"more than {MOST_BYTES:,} bytes are too many to be kept in the repository", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=IMAGES)
    into = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(into))
    tell(into)

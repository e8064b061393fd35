"""The pages as somebody reads them whose browser runs no scripts."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.databases import missing
from tests.served import FUNCTION, Served, served, until
from tests.visitor import Visitor, visitor

from ao.sandbox import Level

GOOD = {"agent.py": "def work(task):\n    return {'ok': True}\n"}
BROKEN = {"agent.py": "def work(task):\n    return task['customer']['id']\n"}
ONCE = f"{FUNCTION}\nretries = 0"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as running:
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        await new.log_in()
        yield new


def text(page: str) -> str:
    """What is read: the content without tags, spaces as one."""
    content = page.partition("<main")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content)))


async def release_that_breaks(server: Served) -> None:
    """Version 1 works; version 2 is live and fails every time."""
    await server.local.deploy("support", GOOD, toml=ONCE)
    for _ in range(3):
        await server.local.run("support", {"q": 1})
    await server.local.deploy("support", BROKEN, toml=ONCE)
    for _ in range(3):
        await server.local.run("support", {"q": 1})


class TestEmpty:
    @pytest.mark.parametrize(
        ("path", "command"),
        [
            ("/", "ao init hello && ao deploy hello"),
            ("/agents", "ao init hello && ao deploy hello"),
            ("/runs", "ao run hello"),
            ("/deployments", "ao deploy"),
            ("/schedules", "ao deploy"),
        ],
    )
    async def test_a_page_without_anything_tells_the_next_command(
        self, browser: Visitor, path: str, command: str
    ) -> None:
        assert command in text(await browser.page(path))

    async def test_what_does_not_exist_is_said_in_the_frame(self, server: Served, browser: Visitor) -> None:
        await server.local.deploy("support", GOOD, toml=FUNCTION)
        only_forms = ("/failures/purge", "/runs/01890000-0000-7000-8000-000000000000/cancel")
        absent = ("/agents/suport", "/agents/support/deployments/7", "/nothing", "/agents/support/nothing")
        for path in (*absent, *only_forms):
            page = await browser.page(path, status=404)
            assert "There is nothing here" in page
            assert "Log out" in page
        assert "Did you mean support?" in text(await browser.page("/agents/suport", status=404))

    async def test_a_defect_is_a_page_too(
        self, server: Served, browser: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_: object) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(server.services.store.insights, "overview", broken)
        page = await browser.page("/", status=500)
        assert "look for request_id" in page
        assert "a defect" not in text(page).replace("A defect of AO", "")


class TestThreeInTheMorning:
    async def test_home_says_what_is_broken_since_when_and_how_to_take_it_back(
        self, server: Served, browser: Visitor
    ) -> None:
        await release_that_breaks(server)
        page = await browser.page("/")
        assert "1 thing needs you, 1 more is worth a look." in text(page)
        assert text(page).index("support is failing since v2") < text(page).index("have failed for good")
        assert "3 of 3 runs failed" in text(page)
        assert "v1 completed 100 % of 3 runs." in text(page)
        assert "KeyError" in text(page)
        log = re.search(r'href="(/ui/runs/[^"]+)#log">Show the log', page)
        assert log is not None
        assert (await browser.http.get(log[1])).status_code == 200
        assert "Roll back to v1" in text(page)

    async def test_one_click_and_one_confirm_take_a_release_back(
        self, server: Served, browser: Visitor
    ) -> None:
        await release_that_breaks(server)
        home = await browser.page("/")
        link = re.search(r'href="/ui(/agents/support/rollback\?to=1)"', home)
        assert link is not None
        confirm = await browser.page(link[1])
        assert "Restored code dependencies" in text(confirm)
        assert "Not restored secrets" in text(confirm)
        assert "ao rollback support --to v1" in text(confirm)
        assert (await server.services.deployments.agent("support")).stable == 2
        done = await browser.send(confirm, "/rollback", {"reason": "customers see errors"})
        assert (done.status_code, done.headers["location"]) == (303, "/ui/agents/support")
        after = await browser.page("/agents/support")
        assert "v1 is live: taken back from v2 by key:local (customers see errors)" in text(after)
        assert (await server.local.run("support", {"q": 1})).version == 1
        calm = text(await browser.page("/"))
        assert "Nothing is broken" in calm
        assert "3 runs have failed for good" in calm

    async def test_what_is_live_or_did_not_build_cannot_be_rolled_back_to(
        self, server: Served, browser: Visitor
    ) -> None:
        await server.local.deploy("support", GOOD, toml=FUNCTION)
        await server.local.try_deploy(
            "support", {**GOOD, "requirements.txt": "no-such-package-at-all==9"}, toml=FUNCTION
        )
        assert "is live already" in text(await browser.page("/agents/support/rollback?to=1", status=409))
        assert "only a version" in text(await browser.page("/agents/support/rollback?to=2", status=409))
        assert "not a version" in text(await browser.page("/agents/support/rollback?to=x", status=422))

    async def test_a_build_that_failed_shows_its_log_and_what_stays_live(
        self, server: Served, browser: Visitor
    ) -> None:
        await server.local.deploy("support", GOOD, toml=FUNCTION)
        await server.local.try_deploy(
            "support", {**GOOD, "requirements.txt": "no-such-package-at-all==9"}, toml=FUNCTION
        )
        home = text(await browser.page("/"))
        assert "did not build" in home
        assert "v1 stays live" in home
        latest = (await server.services.deployments.agent("support")).latest
        page = text(await browser.page(f"/agents/support/deployments/{latest}"))
        assert "The build failed; v1 stays live" in page
        assert "failed:" in page


class TestRoles:
    async def test_a_viewer_sees_and_cannot_act(self, server: Served) -> None:
        await release_that_breaks(server)
        async with visitor(server) as viewer:
            await viewer.log_in(await server.key_of("viewer"))
            for path in ("/", "/agents/support", "/deployments", "/agents/support/deployments/1"):
                page = await viewer.page(path)
                assert "support" in page
                assert "/rollback" not in page
            await viewer.page("/agents/support/rollback?to=1", status=403)
            token = re.search(r'name="csrf" value="(\w+)"', await viewer.page("/"))
            assert token is not None
            refused = await viewer.post("/ui/agents/support/rollback", {"csrf": token[1], "to": "1"})
            assert refused.status_code == 403
            assert (await server.services.deployments.agent("support")).stable == 2

    async def test_without_the_token_nothing_is_rolled_back(self, server: Served, browser: Visitor) -> None:
        await release_that_breaks(server)
        assert (await browser.post("/ui/agents/support/rollback", {"to": "1"})).status_code == 403
        assert (await server.services.deployments.agent("support")).stable == 2

    async def test_a_key_for_one_agent_sees_that_agent_alone(self, server: Served) -> None:
        for name in ("support", "billing"):
            await server.local.deploy(name, BROKEN, toml=ONCE)
            await server.local.run(name, {})
        made = await server.json(
            "POST", "/v1/keys", {"name": "one", "role": "deployer", "agents": ["billing"]}, status=201
        )
        async with visitor(server) as scoped:
            await scoped.log_in(made["secret"])
            for path in ("/", "/agents", "/runs", "/deployments", "/schedules", "/runs?state=failed"):
                page = await scoped.page(path)
                assert "support" not in page, path
            assert "billing" in await scoped.page("/runs")
            for path in ("/agents/support", "/runs?agent=support", "/deployments?agent=support"):
                await scoped.page(path, status=403)


class TestLooking:
    async def test_filters_of_runs_are_in_the_url(self, server: Served, browser: Visitor) -> None:
        await release_that_breaks(server)
        await server.local.deploy("billing", GOOD, toml=ONCE)
        billing = await server.local.run("billing", {})

        async def shown(query: str) -> int:
            return len(re.findall(r'href="/ui/runs/[0-9a-f-]{36}"', await browser.page(f"/runs{query}")))

        assert await shown("") == 7
        assert await shown("?agent=support") == 6
        assert await shown("?state=failed") == 3
        assert await shown("?state=failed&state=completed&agent=support&version=v1") == 3
        assert await shown("?q=keyerror") == 3
        assert await shown(f"?q={billing.id[:13]}&agent=billing") == 1
        assert await shown("?time=1h") == 7
        assert await shown("?q=nothing") == 0
        assert await shown("?version=latest") == 0
        page = await browser.page("/runs?state=failed&agent=support&q=KeyError")
        assert 'value="KeyError"' in page
        assert re.search(r'value="failed"\s+checked', page)
        assert "ao runs --agent support --state failed" in text(page)

    async def test_an_agent_s_page_has_all_that_belongs_to_it(self, server: Served, browser: Visitor) -> None:
        toml = f'{ONCE}\ncron = "0 9 * * 1-5"\nsecrets = ["API_TOKEN"]\ndescription = "Helps."'
        await server.services.secrets.set("support", "API_TOKEN", "hidden-value", "key:test")
        await server.local.deploy("support", GOOD, toml=toml)
        run = await server.local.run("support", {})
        page = await browser.page("/agents/support")
        said = text(page)
        assert "v1 is live: deployed by key:test" in said
        for part in ("healthy", "Helps.", "agent:work", "0 9 * * 1-5", "API_TOKEN"):
            assert part in said, part
        assert "hidden-value" not in page
        assert f"/ui/runs/{run.id}" in page
        assert "0 9 * * 1-5" in text(await browser.page("/schedules"))

    async def test_two_versions_are_compared_file_by_file(self, server: Served, browser: Visitor) -> None:
        await release_that_breaks(server)
        page = await browser.page("/agents/support/deployments/2")
        assert '<option value="1" selected' in page
        compared = await browser.page("/agents/support/diff?before=1&after=2")
        assert "agent.py" in compared
        assert '<span class="removed">-    return {&#39;ok&#39;: True}</span>' in compared
        assert '<span class="added">+    return task[&#39;customer&#39;][&#39;id&#39;]</span>' in compared
        assert "does not differ from itself" in text(
            await browser.page("/agents/support/diff?before=2&after=2")
        )

    async def test_what_agents_say_is_shown_and_not_executed(self, server: Served, browser: Visitor) -> None:
        bad = "<script>alert(1)</script>"
        code = {"agent.py": f"def work(task):\n    raise ValueError({bad!r})\n"}
        await server.local.deploy("support", code, toml=ONCE)
        await server.local.run("support", {})
        for path in ("/", "/runs", "/agents/support", f"/runs?q={bad}"):
            page = await browser.page(path)
            assert bad not in page, path
            assert html.escape(bad) in page, path


async def test_a_deployment_says_whether_its_runs_start_warm_and_why_not(tmp_path: Path) -> None:
    async with served(tmp_path, {"AO_WARM": "on"}, worker=True) as server, visitor(server) as browser:
        if server.local.platform.executor.info.level is not Level.NAMESPACES:
            missing("runs start warm in namespaces only")
        await browser.log_in()
        await server.local.deploy("support", GOOD, toml=ONCE)
        held = {"agent.py": f"import socket\nheld = socket.socket()\n{GOOD['agent.py']}"}
        await server.local.deploy("support", held, toml=ONCE)
        for version, words in ((1, "warm"), (2, "cold: the import leaves a socket open")):

            async def told(version: int = version, words: str = words) -> bool:
                page = await browser.page(f"/agents/support/deployments/{version}")
                return f"Its runs start {words}." in text(page)

            await until(told)

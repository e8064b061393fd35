"""Who gets in to the dashboard, how, and for how long."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.served import Served, served
from tests.visitor import Visitor, visitor


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running


@pytest.fixture
async def browser(server: Served) -> AsyncIterator[Visitor]:
    async with visitor(server) as new:
        yield new


class TestLinks:
    async def test_a_link_logs_in_once(self, server: Served, browser: Visitor) -> None:
        link = await browser.link()
        welcome = await browser.http.get(link)
        assert 'http-equiv="refresh"' in welcome.text
        assert "Log out" in await browser.page("/")
        async with visitor(server) as other:
            again = await other.http.get(link)
            assert again.status_code == 401
            assert "has been used, or is too old" in again.text
            assert "Log out" not in await other.page("/")

    async def test_opened_again_by_whom_it_logged_in_it_leads_to_the_dashboard(self, browser: Visitor) -> None:
        link = await browser.link()
        await browser.http.get(link)
        assert 'http-equiv="refresh"' in (await browser.http.get(link)).text

    async def test_it_logs_in_as_the_key_that_asked_for_it(self, server: Served, browser: Visitor) -> None:
        await browser.log_in(await server.key_of("viewer"))
        assert "viewer · viewer" in await browser.page("/")

    async def test_the_session_ends_when_the_key_is_revoked(self, server: Served, browser: Visitor) -> None:
        await browser.log_in(await server.key_of("viewer"))
        (key,) = [key for key in await server.services.keys.list() if key.name == "viewer"]
        await server.services.store.keys.revoke(key.id)
        assert "Log out" not in await browser.page("/")


class TestKeys:
    async def test_a_key_logs_in_and_leads_where_the_visitor_wanted_to_go(
        self, server: Served, browser: Visitor
    ) -> None:
        form = await browser.page("/nothing?x=1", status=404)
        asked = await browser.http.get("/ui/?state=failed")
        assert asked.headers["location"] == "/ui/login?next=/ui/%3Fstate%3Dfailed"
        form = await browser.page("/login?next=/ui/%3Fstate%3Dfailed")
        entered = await browser.send(form, "/login", {"key": f" {server.key} "})
        assert (entered.status_code, entered.headers["location"]) == (303, "/ui/?state=failed")
        assert "Log out" in await browser.page("/")

    async def test_a_wrong_key_is_refused_with_what_to_do(self, browser: Visitor) -> None:
        form = await browser.page("/login")
        refused = await browser.send(form, "/login", {"key": "ao_wrong"})
        assert refused.status_code == 401
        assert "not valid here" in refused.text
        assert "keeps its key in the file" in refused.text

    @pytest.mark.parametrize(
        "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil", "javascript:x"]
    )
    async def test_it_never_leads_to_another_place(
        self, server: Served, browser: Visitor, elsewhere: str
    ) -> None:
        form = await browser.page("/login")
        entered = await browser.send(form, "/login", {"key": server.key, "next": elsewhere})
        assert entered.headers["location"] == "/ui/"


class TestSessions:
    async def test_the_cookie_is_kept_from_scripts_and_other_sites(self, browser: Visitor) -> None:
        answer = await browser.http.get(await browser.link())
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "path=/ui" in cookie

    async def test_logging_out_ends_the_session_itself(self, browser: Visitor) -> None:
        await browser.log_in()
        kept = dict(browser.http.cookies)
        left = await browser.send(await browser.page("/"), "/logout")
        assert left.status_code == 303
        browser.http.cookies.update(kept)
        assert "Log out" not in await browser.page("/")

    async def test_a_key_does_not_open_pages_and_a_session_not_the_api(
        self, server: Served, browser: Visitor
    ) -> None:
        answer = await server.http.get("/ui/")
        assert answer.status_code == 303
        await browser.log_in()
        assert (await browser.http.get("/v1/runs")).status_code == 401

    async def test_part_of_a_page_asks_for_the_whole_login(self, browser: Visitor) -> None:
        answer = await browser.http.get("/ui/", headers={"hx-request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/ui/login")


class TestForms:
    async def test_without_the_token_they_are_refused(self, browser: Visitor) -> None:
        await browser.log_in()
        refused = await browser.post("/ui/logout", {"next": "/"})
        assert refused.status_code == 403
        assert "Log out" in await browser.page("/")

    async def test_with_another_visitor_s_token_they_are_refused(
        self, server: Served, browser: Visitor
    ) -> None:
        await browser.log_in()
        async with visitor(server) as other:
            await other.log_in()
            token = re.search(r'name="csrf" value="(\w+)"', await other.page("/"))
        assert token is not None
        assert (await browser.post("/ui/logout", {"csrf": token[1]})).status_code == 403

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
    async def test_from_another_origin_or_none_they_are_refused(
        self, browser: Visitor, origin: str | None
    ) -> None:
        await browser.log_in()
        token = re.search(r'name="csrf" value="(\w+)"', await browser.page("/"))
        assert token is not None
        refused = await browser.post("/ui/logout", {"csrf": token[1]}, origin=origin)
        assert refused.status_code == 403
        assert "Log out" in await browser.page("/")

    async def test_the_login_form_is_protected_too(self, server: Served, browser: Visitor) -> None:
        await browser.page("/login")
        assert (await browser.post("/ui/login", {"key": server.key})).status_code == 403

    async def test_the_theme_is_kept(self, browser: Visitor) -> None:
        await browser.log_in()
        page = await browser.page("/")
        assert "data-theme" not in page
        chosen = await browser.send(page, "/theme", {"theme": "dark", "next": "/ui/?x=1"})
        assert chosen.headers["location"] == "/ui/?x=1"
        assert 'data-theme="dark"' in await browser.page("/")

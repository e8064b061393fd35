"""A browser without scripts: logs in to the dashboard, follows links, sends forms."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from tests.served import Served

_FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL)
_FIELD = re.compile(r'<input\b[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


class Visitor:
    """One browser, by what it would show."""

    def __init__(self, served: Served, http: httpx.AsyncClient) -> None:
        self.served = served
        self.http = http

    async def log_in(self, key: str | None = None) -> None:
        """By a link, as the key (default: the admin's)."""
        path = await self.link(key)
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text

    async def link(self, key: str | None = None) -> str:
        """The path of a fresh link."""
        headers = {"authorization": f"Bearer {key or self.served.key}"}
        made = await self.http.post("/v1/login-links", headers=headers)
        assert made.status_code == 201, made.text
        path: str = made.json()["path"]
        return path

    async def page(self, path: str, status: int = 200) -> str:
        """The page at a path below `/ui`, redirects followed."""
        answer = await self.http.get(f"/ui{path}", follow_redirects=True)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, page: str, action: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Send the form of a page whose action ends with `action`, as a browser does."""
        form = next(form for form in _FORM.findall(page) if f'{action}"' in form)
        target = html.unescape(re.search(r'action="([^"]+)"', form)[1])  # type: ignore[index]
        hidden = {name: html.unescape(value) for name, value in _FIELD.findall(form)}
        return await self.post(target, {**hidden, **(fields or {})})

    async def post(
        self, path: str, fields: dict[str, str], *, origin: str | None = "same", follow: bool = False
    ) -> httpx.Response:
        headers = {} if origin is None else {"origin": self.served.url if origin == "same" else origin}
        return await self.http.post(path, data=fields, headers=headers, follow_redirects=follow)


@asynccontextmanager
async def visitor(served: Served) -> AsyncIterator[Visitor]:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=120) as http:
        yield Visitor(served, http)

"""What pages load: small, kept for ever by browsers, and exactly what was published."""

import gzip
import hashlib
import re
from importlib import resources
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser
from tests.chromium import desk
from tests.served import ECHO, FUNCTION, served
from tests.visitor import visitor
from tests.wire import wire_to

STATIC = resources.files("ao.dashboard") / "static"
FIRST_LOAD_BYTES = 100 * 1024


def test_vendored_files_are_the_published_ones() -> None:
    vendor = STATIC / "vendor"
    listed = dict[str, str]()
    for line in (vendor / "CHECKSUMS").read_text().splitlines():
        if not line.startswith("#"):
            digest, name = line.split()[:2]
            listed[name] = digest
    scripts = [file.name for file in vendor.iterdir() if file.name.endswith((".js", ".css"))]
    assert sorted(scripts) == sorted(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name


async def test_everything_a_page_loads_is_compressed_and_immutable(tmp_path: Path) -> None:
    async with served(tmp_path) as server, visitor(server) as browser:
        await browser.log_in()
        page = await browser.page("/")
        loaded = re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page)
        assert len(loaded) >= 4
        total = len(gzip.compress(page.encode()))
        for path in loaded:
            answer = await browser.http.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-encoding"] == "gzip"
            assert "immutable" in answer.headers["cache-control"]
            again = await browser.http.get(path, headers={"if-none-match": answer.headers["etag"]})
            assert again.status_code == 304
            total += int(answer.headers["content-length"])
        assert total <= FIRST_LOAD_BYTES
        assert (await browser.http.get("/ui/static/ao.000000000000.css")).status_code == 404


async def test_pages_forbid_what_they_do_not_use(tmp_path: Path) -> None:
    async with served(tmp_path) as server, visitor(server) as browser:
        for path in ("/ui/login", "/ui/", "/ui/nothing"):
            answer = await browser.http.get(path, follow_redirects=True)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)


@pytest.mark.parametrize("path", ["/ui/", "/ui/runs/{run}"])
async def test_the_first_load_of_a_page_is_small_on_the_wire(
    tmp_path: Path, browser: Browser, path: str
) -> None:
    """Counted between a fresh Chromium and the server: headers, the worker of the stream and the icon, too."""
    async with served(tmp_path, worker=True) as server:
        await server.local.deploy("echo", ECHO, toml=FUNCTION)
        run = await server.local.run("echo", {"text": "x" * 2_000})
        async with wire_to(server.url) as wire, desk(browser) as visitor:
            link = await server.json("POST", "/v1/login-links", status=201)
            async with httpx.AsyncClient(base_url=wire.url, trust_env=False, timeout=60) as http:
                cookies = (await http.get(link["path"])).cookies
            await visitor.context.add_cookies(
                [{"name": name, "value": value, "url": f"{wire.url}/ui"} for name, value in cookies.items()]
            )
            before = wire.received
            page = await visitor.tab(wire.url + path.format(run=run.id))
            await page.wait_for_load_state("networkidle")
            loaded = wire.received - before
        assert 10_000 < loaded <= FIRST_LOAD_BYTES, f"{loaded:,} bytes"

"""The pinned uv, fetched as a wheel from the configured index and checked by sha256. Standard library only."""

import base64
import hashlib
import netrc
import os
import platform
import ssl
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from pip_config import PipConfig, without_password

VERSION = "0.13.8"

_X86 = "manylinux_2_17_x86_64.manylinux2014_x86_64"
_ARM = "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64"
_WHEELS: dict[tuple[str, str, str], tuple[str, str]] = {
    ("linux", "x86_64", "glibc"): (_X86, "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984"),
    ("linux", "x86_64", "musl"): (
        "musllinux_1_1_x86_64",
        "29451c60f5e8b07403e0a175d5229efc36b0289b34143ff4aaa499a5dd52553a",
    ),
    ("linux", "aarch64", "glibc"): (_ARM, "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d"),
    ("linux", "aarch64", "musl"): (_ARM, "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d"),
    ("darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1",
    ),
    ("darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
    ),
}


class FetchError(Exception):
    """No source gave the wheel; the message lists each one with its reason."""


def ensure(cache: Path, config: PipConfig) -> Path:
    """The uv program, unpacked in `cache`; downloaded only when it is not there."""
    program = cache / f"uv-{VERSION}" / "uv"
    if program.is_file():
        return program
    wheel_name, digest = _wheel_for_this_machine()
    started = time.monotonic()
    content, source = _fetch(wheel_name, digest, config)
    seconds, size = time.monotonic() - started, len(content) / 1e6
    shown = without_password(source)
    print(f"uv {VERSION}: {size:.1f} MB downloaded in {seconds:.1f} s from {shown}", flush=True)
    _unpack(content, program)
    return program


def _wheel_for_this_machine() -> tuple[str, str]:
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    libc = ""
    if sys.platform == "linux":
        machine = {"arm64": "aarch64"}.get(machine, machine)
        libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    found = _WHEELS.get((sys.platform, machine, libc))
    if found is None:
        raise FetchError(f"no uv wheel is pinned for {sys.platform} on {machine}")
    return f"uv-{VERSION}-py3-none-{found[0]}.whl", found[1]


def _fetch(wheel_name: str, digest: str, config: PipConfig) -> tuple[bytes, str]:
    failures: list[str] = []
    for page, variable in _pages(config):
        try:
            url = _link(page, wheel_name, config)
            if url is None:
                failures.append(f"{without_password(page)} ({variable}): does not have {wheel_name}")
                continue
            content = _read(url, config)
        except (OSError, ValueError) as error:
            failures.append(
                f"{without_password(page)} ({variable}): {_reason(error)}{through_proxy(page, config)}"
            )
            continue
        actual = hashlib.sha256(content).hexdigest()
        if actual == digest:
            return content, url
        failures.append(f"{without_password(url)}: sha256 is {actual}, expected {digest}")
    raise FetchError("\n".join(failures) or "no index and no wheel directory is configured")


def _reason(error: Exception) -> str:
    """Without the layer that urllib puts around it."""
    reason = getattr(error, "reason", None)
    return (
        str(reason) if isinstance(error, urllib.error.URLError) and isinstance(reason, OSError) else str(error)
    )


def through_proxy(page: str, config: PipConfig) -> str:
    """The proxy that was asked, if any: a wrong one is the usual reason, and easily forgotten."""
    parts = urlsplit(page)
    if parts.scheme not in ("http", "https") or urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    if config.proxy:
        return f", through the proxy {without_password(config.proxy)} ({config.origin['proxy']})"
    proxy = urllib.request.getproxies().get(parts.scheme)
    return f", through the proxy {without_password(proxy)} ({parts.scheme}_proxy)" if proxy else ""


def _pages(config: PipConfig) -> Iterator[tuple[str, str]]:
    """Every place to look into, with the setting that named it."""
    for link in config.find_links:
        yield link, config.origin.get("find-links", "find-links")
    if config.index:
        yield config.index.rstrip("/") + "/uv/", config.origin.get("index-url", "pip's default; PIP_INDEX_URL")
    for index in config.extra_indexes:
        yield index.rstrip("/") + "/uv/", config.origin.get("extra-index-url", "extra-index-url")


def _link(page: str, wheel_name: str, config: PipConfig) -> str | None:
    """The address of the wheel that a directory or an index page lists."""
    directory = _local_directory(page)
    if directory is not None:
        if (directory / wheel_name).is_file():
            return (directory / wheel_name).as_uri()
        if not (directory / "index.html").is_file():
            return None
        page = (directory / "index.html").as_uri()
    collector = _Links()
    collector.feed(_read(page, config).decode("utf-8", "replace"))
    for href in collector.hrefs:
        url = urldefrag(urljoin(page, href))[0]
        if unquote(url.rsplit("/", 1)[-1]) == wheel_name:
            return url
    return None


def _local_directory(page: str) -> Path | None:
    parts = urlsplit(page)
    if parts.scheme == "file":
        return Path(unquote(parts.path)) if Path(unquote(parts.path)).is_dir() else None
    if "://" not in page:
        path = Path(os.path.expanduser(page))
        if not path.exists():
            raise ValueError("there is no such directory")
        return path if path.is_dir() else path.parent
    return None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs.extend(value for name, value in attrs if name == "href" and value)


def _read(url: str, config: PipConfig) -> bytes:
    """The bytes at the address, through the host's proxy, CA and credentials."""
    parts = urlsplit(url)
    request = urllib.request.Request(
        url, headers={"Accept": "text/html, */*;q=0.5", "User-Agent": "ao-bootstrap"}
    )
    handlers: list[urllib.request.BaseHandler] = []
    if parts.scheme in ("http", "https"):
        host = parts.hostname or ""
        bare = host if parts.port is None else f"{host}:{parts.port}"
        request.full_url = urlunsplit((parts.scheme, bare, parts.path, parts.query, ""))
        credentials = _credentials(url)
        if credentials is not None:
            request.add_unredirected_header("Authorization", "Basic " + credentials)
        handlers.append(urllib.request.HTTPSHandler(context=_tls(host, bare, config)))
        if config.proxy:
            handlers.append(urllib.request.ProxyHandler({"http": config.proxy, "https": config.proxy}))
    opener = urllib.request.build_opener(*handlers)
    with opener.open(request, timeout=config.timeout_seconds) as response:
        content: bytes = response.read()
        return content


def _credentials(url: str) -> str | None:
    """User and password of the address or of ~/.netrc, for HTTP's basic scheme."""
    parts = urlsplit(url)
    user, password = parts.username, parts.password
    if user is None:
        try:
            entry = netrc.netrc().authenticators(parts.hostname or "")
        except (OSError, netrc.NetrcParseError):
            entry = None  # pip, too, goes on without an unreadable file
        if entry is None:
            return None
        user, password = entry[0], entry[2]
    text = "{}:{}".format(unquote(user or ""), unquote(password or ""))
    return base64.b64encode(text.encode()).decode()


def _tls(host: str, host_port: str, config: PipConfig) -> ssl.SSLContext:
    if host in config.trusted_hosts or host_port in config.trusted_hosts:
        return ssl._create_unverified_context()  # `trusted-host` of the host's own pip configuration
    if config.cert and not os.path.exists(config.cert):
        raise ValueError(f"the CA bundle {config.cert} ({config.origin['cert']}) does not exist")
    if config.cert and os.path.isdir(config.cert):
        return ssl.create_default_context(capath=config.cert)
    return ssl.create_default_context(cafile=config.cert)


def _unpack(wheel: bytes, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    archive_path = program.with_name("uv.whl")
    archive_path.write_bytes(wheel)
    member = f"uv-{VERSION}.data/scripts/uv"
    with zipfile.ZipFile(archive_path) as archive:
        partial = program.with_name("uv.partial")
        partial.write_bytes(archive.read(member))
    partial.chmod(0o755)
    os.replace(partial, program)
    archive_path.unlink()

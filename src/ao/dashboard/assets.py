"""Style sheets, scripts and pictures: in memory, compressed once, at URLs that name their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

STATIC = resources.files(__package__) / "static"

STYLES = (
    "tokens",
    "base",
    "frame",
    "status",
    "parts",
    "tables",
    "charts",
    "logs",
    "run",
    "viewer",
    "ansi",
    "workers",
)
"""Files of `static/css` in the order in which they are joined to `ao.css`."""
SCRIPTS = ("live", "copy", "times", "sections")
"""Files of `static/js` that every page loads, joined to `ao.js`."""
RUN_SCRIPTS = (
    "stream/hub",
    "stream/follow",
    "stream/parts",
    "log/ansi",
    "log/lines",
    "log/view",
    "log/rows",
    "log/search",
    "log/element",
    "run/page",
)
"""Files of the page of a run, joined to the module `run.js`."""
BUILD_SCRIPTS = ("stream/hub", "stream/follow", "stream/parts", "build/page")
"""Files of the page of a deployment, joined to the module `build.js`."""
WORKER_SCRIPTS = ("stream/hub", "stream/worker")
"""Files of the worker that all pages share, joined to `stream.js`."""
SEPARATE = ("vendor/htmx.min.js", "icon.svg")
"""Files that are served by themselves; pages load what they need."""

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    name: str
    """In URLs: the file's name with a part of its digest, such as `ao.3f2a91c04b7d.css`."""
    body: bytes
    packed: bytes
    media_type: str


class Assets:
    """All of them, by the name that templates use."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        files = {
            "ao.css": _joined("css", STYLES, ".css"),
            "ao.js": _joined("js", SCRIPTS, ".js"),
            "run.js": _joined("js", RUN_SCRIPTS, ".js"),
            "build.js": _joined("js", BUILD_SCRIPTS, ".js"),
            "stream.js": _joined("js", WORKER_SCRIPTS, ".js"),
            **{path.rpartition("/")[2]: _file(path).read_bytes() for path in SEPARATE},
        }
        self._by_name: Mapping[str, Asset] = {name: _asset(name, body) for name, body in files.items()}
        self._by_url = {asset.name: asset for asset in self._by_name.values()}

    def url(self, name: str) -> str:
        """Where an asset is; KeyError for one that does not exist."""
        return f"{self._prefix}/static/{self._by_name[name].name}"

    async def serve(self, request: Request) -> Response:
        asset = self._by_url.get(request.path_params["name"])
        if asset is None:
            return Response(status_code=404)
        etag = f'"{asset.name}"'
        headers = {"cache-control": _FOR_EVER, "etag": etag, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(asset.packed, headers=headers, media_type=asset.media_type)
        return Response(asset.body, headers=headers, media_type=asset.media_type)


def _asset(name: str, body: bytes) -> Asset:
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:12]
    packed = gzip.compress(body, 9, mtime=0)
    return Asset(f"{stem}.{digest}.{suffix}", body, packed, TYPES[f".{suffix}"])


def _joined(folder: str, names: tuple[str, ...], suffix: str) -> bytes:
    return b"\n".join(_file(f"{folder}/{name}{suffix}").read_bytes() for name in names)


def _file(path: str) -> Traversable:
    return STATIC.joinpath(*path.split("/"))

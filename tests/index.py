"""A package index on loopback that answers when a test lets it, so that a build can be watched."""

import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MAX_SECONDS = 120.0


class _Held(SimpleHTTPRequestHandler):
    go_on: threading.Event

    def do_GET(self) -> None:
        self.go_on.wait(MAX_SECONDS)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the server's log is no part of a test's output."""


def add_wheel(root: Path, name: str, version: str) -> None:
    """A package without code, in a directory that is served as an index."""
    info, wheel = f"{name}-{version}.dist-info", f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    directory = root / "simple" / name
    directory.mkdir(parents=True)
    with zipfile.ZipFile(directory / wheel, "w") as packed:
        for file, text in files.items():
            packed.writestr(zipfile.ZipInfo(file), text)
    (directory / "index.html").write_text(f'<!doctype html><a href="{wheel}">{wheel}</a>')


@contextmanager
def held_index(root: Path, go_on: threading.Event) -> Iterator[str]:
    """The URL of the index in a directory, which answers nobody before `go_on` is set."""
    held = type("Held", (_Held,), {"go_on": go_on})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(held, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()

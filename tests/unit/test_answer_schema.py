"""A question's schema is held against its answer on the server: nothing is fetched for it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ao.domain.errors import InvalidInput
from ao.worker.pauses import question_of
from ao.worker.redact import NOTHING


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A URL of this machine, and what was asked there."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/schema", paths
        server.shutdown()
        thread.join()


def test_a_schema_of_an_agent_makes_the_worker_fetch_nothing(asked: tuple[str, list[str]]) -> None:
    url, paths = asked
    message = {
        "path": "ask",
        "name": "ask",
        "kind": "question",
        "text": "?",
        "fingerprint": "",
        "schema": {"$ref": url},
    }
    with pytest.raises(InvalidInput, match="Retrieval is disabled"):
        question_of({"type": "question", **message}, NOTHING)
    assert paths == []

"""`ao health`: what a container's health check asks."""

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ao.cli import output
from ao.cli.server import HomeOption, overrides
from ao.cli.session import Session
from ao.clock import boot_seconds
from ao.domain.errors import Unavailable
from ao.home import Home
from ao.settings import from_environment

ANSWER_SECONDS = 5.0


def health(session: Session, home: HomeOption = None) -> None:
    """Say whether the AO process of this home is well.

    A server is when it is ready: every dependency works. A worker is while the database takes its heartbeats.
    Exits with 7 otherwise, also when nothing runs here. Meant for health checks of containers and services;
    needs no API key.
    """
    place = Home(from_environment(overrides(home)).home)
    server, worker = _document(place.server_file), _document(place.worker_file)
    if server is not None:
        facts = _server(str(server["url"]))
    elif worker is not None:
        facts = _worker(float(worker["lease_ends"]) - boot_seconds())
    else:
        raise Unavailable(f"no AO process runs in {place.root}", hint="--home or AO_HOME names another home")
    if session.json:
        output.as_json(facts)
    else:
        output.data(f"{facts['role']}: {facts['message']}")


def _document(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return found


def _server(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        checks = json.loads(answer.read())["checks"]
    except (OSError, HTTPException, ValueError, LookupError) as error:
        raise Unavailable(f"the server at {url} does not answer: {error}") from error
    finally:
        connection.close()
    failed = "; ".join(
        f"{check['name']}: {check['message']}" for check in checks if check["status"] == "failed"
    )
    if answer.status != 200:
        raise Unavailable(f"the server at {url} is not ready: {failed}", details={"checks": checks})
    return {"role": "server", "message": f"ready at {url}", "checks": checks}


def _worker(lease_seconds: float) -> dict[str, object]:
    if lease_seconds <= 0:
        raise Unavailable("the worker has no lease: the database takes no heartbeats, or it hangs")
    return {"role": "worker", "message": "takes runs", "lease_seconds": round(lease_seconds, 1)}

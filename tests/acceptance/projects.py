"""Small agents for acceptance tests."""

from pathlib import Path

AGENT = """\
import os, sys, time


def main(request):
    print("hello from", os.environ["AO_AGENT"], flush=True)
    print("careful", file=sys.stderr, flush=True)
    if request.get("wait"):
        time.sleep(request["wait"])
    if request.get("fail"):
        raise ValueError(request["fail"])
    return {"echo": request, "attempt": int(os.environ["AO_ATTEMPT"]), "token": os.environ.get("TOKEN")}
"""


def project(directory: Path, name: str, *, extra: str = "", agent: str = AGENT) -> Path:
    """A project without dependencies and without retries; `extra` is added to its ao.toml."""
    directory.mkdir(parents=True, exist_ok=True)
    toml = f'name = "{name}"\nentrypoint = "agent:main"\nretries = 0\n{extra}\n[sandbox]\nnetwork = "none"\n'
    (directory / "ao.toml").write_text(toml)
    (directory / "agent.py").write_text(agent)
    return directory

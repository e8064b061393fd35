"""A stack for Docker Compose: `compose.yaml`, `.env` and the files of its secrets."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ao.domain.errors import Conflict, InvalidInput
from ao.home import write_private

Isolation = Literal["landlock", "namespaces"]

_STACK = Path(__file__).with_name("stack")
_FILES = {"compose.yaml": "compose.yaml", "env": ".env", "gitignore": ".gitignore"}
"""File of this package → file of the stack. Ignore files must not count inside this package."""
_SECURITY: Mapping[Isolation, str] = {
    "landlock": "",
    # Sandboxes of namespaces are made with system calls that Docker's filter keeps from containers, and get a
    # /proc of their own, which the kernel allows only where nothing of the container's is masked.
    "namespaces": """
    security_opt:
      - no-new-privileges:true
      - seccomp=unconfined
      - apparmor=unconfined
      - systempaths=unconfined""",
}
_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Stack:
    image: str
    workers: int = 2
    isolation: Isolation = "landlock"


@dataclass(frozen=True, slots=True)
class Written:
    directory: Path
    written: list[str]
    kept: list[str]
    """Secrets that were there: a database knows them."""


def write(stack: Stack, directory: Path, *, force: bool = False) -> Written:
    """Raises Conflict when a file is there already, and writes nothing. `force` replaces all but secrets."""
    content = {target: _text(source, stack) for source, target in _FILES.items()}
    present = sorted(target for target in content if (directory / target).exists())
    if present and not force:
        raise Conflict(
            f"{directory} already has {', '.join(present)}",
            hint="--force writes them anew and keeps the secrets; --output names another directory",
        )
    directory.mkdir(parents=True, exist_ok=True)
    written, kept = _write_secrets(directory / "secrets")
    for target, text in content.items():
        (directory / target).write_text(text, "utf-8")
    return Written(directory, [*sorted(content), *written], kept)


def _text(source: str, stack: Stack) -> str:
    text = (_STACK / source).read_text("utf-8")
    marks = {
        "@IMAGE@": stack.image,
        "@WORKERS@": str(stack.workers),
        "@SANDBOX@": stack.isolation,
        "@WORKER_SECURITY@": _SECURITY[stack.isolation],
    }
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def _write_secrets(directory: Path) -> tuple[list[str], list[str]]:
    """Those that are missing. Only their owner gets into the directory; the files themselves are for the users
    of the containers, each another one, and come into them one by one."""
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    if not (directory / "secrets_key").exists() and any(directory.iterdir()):
        raise Conflict(
            f"{directory / 'secrets_key'} is not there, and other secrets of the stack are",
            hint="put it back from your back-up: with another key nobody can open the secrets in its database; "
            "for a new stack, without its data, remove the directory",
        )
    postgres = _known(directory / "postgres_password") or _in_url(directory / "database_url")
    redis = _known_redis(directory / "redis_config") or _in_url(directory / "redis_url")
    postgres, redis = (known or secrets.token_urlsafe(_PASSWORD_BYTES) for known in (postgres, redis))
    files = {
        "postgres_password": postgres,
        "database_url": f"postgresql://ao:{postgres}@postgres:5432/ao",
        "redis_config": f'requirepass {redis}\nsave ""\nappendonly no\nmaxmemory 192mb\ndir /tmp\n',
        "redis_url": f"redis://:{redis}@redis:6379",
        "secrets_key": base64.b64encode(os.urandom(32)).decode(),
    }
    written, kept = [], []
    for name, text in files.items():
        file = directory / name
        if file.exists():
            kept.append(f"secrets/{name}")
            continue
        write_private(file, text)
        file.chmod(0o444)
        written.append(f"secrets/{name}")
    return written, kept


def _known(file: Path) -> str | None:
    return file.read_text("utf-8").strip() if file.exists() else None


def _in_url(file: Path) -> str | None:
    return urlsplit(_known(file) or "").password


def _known_redis(file: Path) -> str | None:
    """The password in a configuration of ours."""
    text = _known(file)
    if text is None:
        return None
    for line in text.splitlines():
        if line.startswith("requirepass "):
            return line.split()[1]
    raise InvalidInput(f"{file} has no line `requirepass PASSWORD`", hint="remove it, and redis_url beside it")

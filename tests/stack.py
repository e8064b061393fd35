"""Images of Postgres and Redis for a stack, made of this host's Debian packages, and the stack itself."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.command import Ao
from tests.docker import Engine

BUILD_SECONDS = 600.0
POSTGRES_IMAGE, REDIS_IMAGE = "ao-test/postgres:15", "ao-test/redis:7"
_POSTGRES_START = """\
#!/bin/sh
# What the usual image of Postgres does with the same variables.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS >&2
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses='' -k /tmp" start >&2
    export PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
    createdb --host=/tmp --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --wait stop >&2
fi
exec postgres -c listen_addresses='*'
"""


def image_build(ao: Ao, engine: Engine, *arguments: str, **variables: str) -> Any:
    """What `ao image build` says; it may take long where much else is built."""
    with ao.start("image", "build", *arguments, "--json", **engine.variables, **variables) as process:
        try:
            out, err = process.communicate(timeout=BUILD_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, out + err
    return json.loads(out)


def make_service_images(engine: Engine, base: str) -> None:
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    share = Path("/usr/share/postgresql") / binaries.parent.name
    with tempfile.TemporaryDirectory(prefix="ao-stack-") as name:
        context = Path(name)
        (context / "start").write_text(_POSTGRES_START)
        (context / "start").chmod(0o755)
        names = ["postgres", "initdb", "pg_ctl", "createdb", "pg_dump", "pg_isready", "pg_restore", "psql"]
        programs = [binaries / name for name in names]
        trees = [binaries.parent / "lib", share, Path("/usr/share/zoneinfo")]
        _collect(context / "postgres", programs, trees)
        _collect(context / "redis", [Path("/usr/bin/redis-server"), Path("/usr/bin/redis-cli")], [])
        (context / "Dockerfile").write_text(
            f"FROM {base} AS postgres\nCOPY postgres /\nCOPY start /usr/local/bin/start\n"
            "RUN useradd --system --uid 999 postgres && mkdir -p /var/lib/postgresql/data /run/postgresql"
            " && chown postgres /var/lib/postgresql/data && chmod 700 /var/lib/postgresql/data"
            " && chmod 3777 /run/postgresql\n"
            f'ENV PATH={binaries}:/usr/local/bin:/usr/bin:/bin\nENTRYPOINT ["start"]\n'
            f"FROM {base} AS redis\nCOPY redis /\nRUN useradd --system --uid 999 redis\n"
        )
        for target, tag in (("postgres", POSTGRES_IMAGE), ("redis", REDIS_IMAGE)):
            engine.docker("build", "--quiet", "--network", "none", "--target", target, "--tag", tag, name)


def _collect(root: Path, programs: list[Path], trees: list[Path]) -> None:
    """Programs, what they are linked with, and whole directories, at their own places."""
    for tree in trees:
        shutil.copytree(
            tree, root / tree.relative_to("/"), ignore=shutil.ignore_patterns("bitcode", "llvmjit*")
        )
    for file in [*programs, *_libraries(programs)]:
        target = root / os.path.realpath(file.parent).lstrip("/") / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(file, target)


def _libraries(programs: list[Path]) -> Iterator[Path]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        words = line.split()
        if "=>" in words and words[-2].startswith("/"):
            yield Path(words[-2])

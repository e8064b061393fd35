"""The text of the Dockerfile. It needs no BuildKit, and nothing from a network but its base."""

import sys
from collections.abc import Mapping

DEFAULT_BASE = "python:{}.{}-slim".format(*sys.version_info[:2])
"""The Python that AO runs on here."""
USER_ID = 10001

_AO = """\
ARG BASE={base}

# uv installs what the lock pins, offline, from wheels that were checked by hash.
FROM ${{BASE}} AS build
USER root
COPY build /build
RUN /build/uv venv --quiet --offline --no-config --no-project --no-cache --python python3 /opt/ao \\
 && /build/uv pip install --quiet --offline --no-config --no-cache --no-index --find-links /build/wheels \\
    --require-hashes --no-deps --no-build --link-mode copy --compile-bytecode \\
    --python /opt/ao/bin/python --requirements /build/requirements.lock \\
 && /build/uv pip install --quiet --offline --no-config --no-cache --no-index --no-deps --no-build \\
    --link-mode copy --compile-bytecode --python /opt/ao/bin/python /build/{wheel}

FROM ${{BASE}}
USER root
RUN groupadd --gid {user} ao \\
 && useradd --uid {user} --gid {user} --no-create-home --home-dir /var/lib/ao --shell /usr/sbin/nologin ao \\
 && mkdir -p /var/lib/ao /var/lib/ao-blobs \\
 && chown {user}:{user} /var/lib/ao /var/lib/ao-blobs \\
 && chmod 700 /var/lib/ao
COPY --from=build /opt/ao /opt/ao
ENV PATH=/opt/ao/bin:${{PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}} \\
    HOME=/var/lib/ao \\
    AO_HOME=/var/lib/ao \\
    PYTHONDONTWRITEBYTECODE=1
"""
_AGENT = """\
# It is deployed at the first start, offline; a container of a later image makes the next version live.
COPY agent /opt/agent
COPY agent-wheels /opt/agent-wheels
ENV PIP_NO_INDEX=1 \\
    PIP_FIND_LINKS=/opt/agent-wheels
"""
_LIFE = """\
USER {user}:{user}
WORKDIR /var/lib/ao
VOLUME /var/lib/ao
EXPOSE 7433
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["ao", "health"]
ENTRYPOINT ["ao"]
CMD {command}
"""


def dockerfile(
    wheel: str, base: str = DEFAULT_BASE, labels: Mapping[str, str] | None = None, *, agent: bool = False
) -> str:
    """`wheel`: the file name of AO's own. Labels go last, so that they change no other layer."""
    command = '["up", "--host", "0.0.0.0"' + (', "--deploy", "/opt/agent"]' if agent else "]")
    words = [f'{name}="{_quoted(value)}"' for name, value in sorted((labels or {}).items())]
    labelled = "LABEL " + " \\\n    ".join(words) + "\n" if words else ""
    text = _AO.format(base=base, wheel=wheel, user=USER_ID) + (_AGENT if agent else "")
    return text + _LIFE.format(user=USER_ID, command=command) + labelled


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")

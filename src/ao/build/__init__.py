"""From an uploaded project to a release artifact and the environment it runs in.

Contract of `Builder`:

- The artifact is a function of the uploaded bytes and the lock alone: path, umask, time zone, locale and
  uid do not change its digest.
- An environment is built once per (python, platform, lock), whoever asks at the same time, and is
  shared read-only. Wheels are kept, so nothing is resolved or downloaded for a release that was built.
- No code of the project is executed, except source builds that its `ao.toml` allows: in a sandbox,
  without secrets.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ao.domain.agent_config import AgentConfig
from ao.domain.assistant import OtherPrompt
from ao.ids import Digest
from ao.store.records import BuiltRelease
from ao.wire.schemas import PartDiff

Log = Callable[[str], None]
"""Takes one line of the build log; cheap, never blocks."""

Recall = Callable[[], Awaitable[str | None]]
"""The recipe of a release's environment, from where releases are kept."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A project archive that was received, verified and unpacked into a private directory."""

    directory: Path
    digest: Digest
    config: AgentConfig


@dataclass(frozen=True, slots=True)
class Collected:
    environments: int
    releases: int
    blobs: int
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class BuildRequest:
    upload: Upload
    previous: Sequence[BuiltRelease] = field(default_factory=tuple)
    """Earlier releases of the agent, newest first: a lock of equal requirements is used again."""
    upgrade: bool = False
    """Resolve anew."""


class Builder(Protocol):
    async def receive(self, archive: Path, digest: Digest) -> Upload:
        """Check and unpack an uploaded archive. Raises `UploadRefused` (naming the entry) for traversal,
        links that leave the project, devices, bombs, too many or too large files and damage;
        `InvalidConfig` with every problem of its `ao.toml`."""
        ...

    async def build(self, request: BuildRequest, log: Log) -> BuiltRelease:
        """Make and keep the artifact and its environment. Raises `BuildFailed`."""
        ...

    async def derive(
        self, base: Digest, config: AgentConfig, prompts: Mapping[str, str | OtherPrompt]
    ) -> Digest:
        """Keep a release that is like `base`, but with this configuration, its model pins and these texts of
        prompts. A function of its arguments alone; `base` itself when nothing differs. Raises `InvalidInput`
        with a problem for each prompt that the base does not have."""
        ...

    async def discard(self, upload: Upload) -> None:
        """Remove the unpacked upload."""
        ...

    async def code_dir(self, digest: Digest) -> Path:
        """The release unpacked, read-only, shared; unpacked now if it is not there."""
        ...

    async def env_dir(self, release_digest: Digest, env_key: str, recipe: Recall | None = None) -> Path:
        """The environment; rebuilt from kept wheels if it is not there. `recipe` is asked when another machine
        has built it."""
        ...

    async def diff(self, before: Digest, after: Digest) -> Sequence[PartDiff]: ...

    async def code(self, digest: Digest) -> Mapping[str, str]:
        """The text files of a release's code, by path; without those that `diff` does not compare by lines."""
        ...

    async def collect(
        self,
        keep_environments: Sequence[str],
        keep_digests: Sequence[Digest],
        dry_run: bool,
        building_since: float | None = None,
    ) -> Collected:
        """Remove what nothing refers to; what a build in progress needs is kept. The oldest build of all who
        share the blobs began at `building_since`, in seconds of the epoch."""
        ...

    async def tidy(
        self,
        keep_environments: Sequence[str],
        keep_digests: Sequence[Digest],
        building_since: float | None = None,
    ) -> Collected:
        """The part of `collect` that concerns this machine alone: environments and unpacked releases."""
        ...

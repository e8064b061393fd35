"""To a registry, with the logins that `docker` has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ao.build import Log
from ao.image.docker import Docker


@dataclass(frozen=True, slots=True)
class Pushed:
    reference: str
    digest: str
    """Of the manifest in the registry: `reference@digest` never means another image."""


async def push(tags: Sequence[str], environ: Mapping[str, str], log: Log) -> Sequence[Pushed]:
    docker = Docker(environ)
    return [Pushed(tag, await docker.push(tag, log)) for tag in tags]

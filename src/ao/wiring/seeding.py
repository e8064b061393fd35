"""A project that is live from the first request on: `ao up --deploy`, and the image of an agent."""

import asyncio
import tempfile
from pathlib import Path

from ao.bus import build_topic
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import BuildFailed, NotFound
from ao.logs import get_logger
from ao.project import config, packing
from ao.store.records import Deployment
from ao.wiring.platform import Platform

log = get_logger(__name__)

ACTOR = "system:deploy"
HINT_SECONDS = 1.0
_LOOKED_AT = 100
"""Of an agent's last versions, to find one of the same files."""


async def deploy_first(platform: Platform, project: Path) -> None:
    """Deploy the project and wait until it is live. One of the same files that was built before is left as it
    is, also when somebody has rolled back from it. Raises `BuildFailed`, `InvalidConfig`, `InvalidInput`."""
    name = (await asyncio.to_thread(config.load, project)).name
    with tempfile.TemporaryDirectory(prefix="ao-deploy-") as scratch:
        archive = Path(scratch, "project.tar")
        packed = await asyncio.to_thread(packing.pack, project, archive)
        for known in await _known(platform, name):
            if known.source_digest == packed.digest and known.status is DeploymentStatus.SUCCEEDED:
                log.info("deployed before", agent=name, version=known.version)
                return
        made = await platform.deployments.deploy(
            name, archive, packed.digest, actor=ACTOR, message=f"started with {project}"
        )
    done = await _built(platform, made)
    if done.status is not DeploymentStatus.SUCCEEDED:
        raise BuildFailed(f"{name} v{done.version} did not build: {done.error}", hint="the log says more")
    log.info("deployed", agent=name, version=done.version)


async def _known(platform: Platform, agent: str) -> list[Deployment]:
    try:
        return list(await platform.deployments.list(agent, None, _LOOKED_AT))
    except NotFound:
        return []


async def _built(platform: Platform, deployment: Deployment) -> Deployment:
    with platform.bus.subscribe(build_topic(deployment.id)) as hints:
        while deployment.status is DeploymentStatus.BUILDING:
            await hints.wait(HINT_SECONDS)
            deployment = await platform.deployments.get(deployment.agent, deployment.version)
    return deployment

"""Templates ahead of need: for what is live, and for what a rollback would make live again."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.bus import POINTERS, Bus
from ao.domain.deployment import DEFAULT_ENVIRONMENT
from ao.domain.errors import AoError, SandboxError, Unavailable
from ao.logs import get_logger
from ao.sandbox import Executor, SandboxSpec, Template
from ao.store import Store
from ao.worker.resolve import Resolver

log = get_logger(__name__)

LOOK_SECONDS = 30.0
"""How long hints are trusted; secrets change and templates end without one."""
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment whose runs should start warm."""

    agent: str
    version: int


class Warming:
    """Has the executor keep templates of every agent's `stable` and `last_good`; what is live comes first."""

    def __init__(self, store: Store, bus: Bus, executor: Executor, resolver: Resolver) -> None:
        self._store = store
        self._bus = bus
        self._executor = executor
        self._resolver = resolver
        self._specs: dict[Wanted, SandboxSpec] = {}
        """Those of the last look: as long as no secret changes, they are right."""
        self._mark = ""
        """Of the secrets then."""

    async def run_forever(self) -> None:
        with self._bus.subscribe(POINTERS) as hints:
            while True:
                pause = LOOK_SECONDS
                try:
                    for spec in await self._keep():
                        await self._executor.prepare(spec)
                        if await hints.wait(0):  # what has just been deployed does not wait for the others
                            pause = 0.0
                            break
                except (Unavailable, SandboxError) as error:
                    log.warning("templates are not looked after now", error=error.message)
                    pause = RETRY_SECONDS
                await hints.wait(pause)

    async def _keep(self) -> Sequence[SandboxSpec]:
        mark = await self._store.secrets.mark()
        known, found = (self._specs if mark == self._mark else {}), dict[Wanted, SandboxSpec]()
        for wanted in await self._wanted():
            spec = known.get(wanted)
            if spec is None or not _is_here(spec):
                spec = await self._spec(wanted)
            if spec is not None:
                found[wanted] = spec
        self._specs, self._mark = found, mark
        self._executor.keep([*found.values()])
        return [*found.values()]

    async def _wanted(self) -> Sequence[Wanted]:
        agents = await self._store.agents.list()
        live = [Wanted(agent.name, agent.stable) for agent in agents if agent.stable]
        earlier = [Wanted(agent.name, agent.last_good) for agent in agents if agent.last_good]
        return list(dict.fromkeys(live + earlier))

    async def _spec(self, wanted: Wanted) -> SandboxSpec | None:
        deployment = await self._store.deployments.get(wanted.agent, wanted.version)
        try:
            return await self._resolver.template(deployment, DEFAULT_ENVIRONMENT)
        except Unavailable:
            raise
        except (AoError, OSError) as error:
            # A secret that is not set, say: its runs tell the same.
            log.info("no template", agent=wanted.agent, version=wanted.version, reason=str(error))
            return None

    def template(self, agent: str, version: int) -> Template | None:
        """That of a deployment itself; None when nobody has asked for it yet."""
        wanted = (agent, str(version))
        for template in self._executor.templates():
            of = (template.env.get("AO_AGENT"), template.env.get("AO_VERSION"))
            if of == wanted and "AO_ASSISTANT" not in template.env:
                return template
        return None

    def templates(self) -> Sequence[Template]:
        return self._executor.templates()


def _is_here(spec: SandboxSpec) -> bool:
    return spec.code_dir.exists() and spec.env_dir.exists()

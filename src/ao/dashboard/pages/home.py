"""Home: what needs somebody, then how it goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard import charts
from ao.dashboard.formats import DAY, MINUTE, age, plural
from ao.dashboard.frame import Frame, Visit
from ao.dashboard.health import DAY_US, Health, all_health, record
from ao.domain.deployment import DeploymentStatus
from ao.server.health import disk_check
from ao.server.services import Services
from ao.store.insights import Failure, Overview

STUCK_US = MINUTE
"""A run that could start and has waited longer needs somebody."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures of an agent with the same message."""

    message: str
    newest: Failure
    runs: int


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs somebody: what it is, and where it is dealt with."""

    key: str
    """The same as long as it is the same."""
    level: str
    """`bad` or `warn`."""
    title: str
    text: str = ""
    agent: Health | None = None
    causes: Sequence[Cause] = ()
    command: str = ""
    links: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """(label, path below the base)."""


class HomePages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._services = frame.services
        self._checks = (disk_check(self._services.about.home), *self._services.checks)

    def routes(self) -> list[Route]:
        return [self._frame.page("/", self.home, "list_runs")]

    async def home(self, visit: Visit) -> Response:
        overview = await self._services.store.insights.overview(visit.now_us - DAY_US)
        agents = [one for one in all_health(overview.agents, overview.tallies) if _seen(visit, one.name)]
        names = {one.name for one in agents}
        failures = [failure for failure in overview.failures if failure.agent in names]
        concerns = [
            *_asked(overview, visit),
            *_failing(agents, failures),
            *_dead(overview, visit),
            *_waiting(overview, names),
            *_not_built(agents, visit.now_us),
            *await self._machine(),
        ]
        concerns.sort(key=lambda concern: concern.level != "bad")  # what is broken comes first
        return self._frame.render(
            visit,
            "home.html",
            title="Home",
            section="home",
            verdict=_verdict(concerns, agents),
            concerns=concerns,
            agents=agents,
            day=record(tally for tally in overview.tallies if tally.agent in names),
            queue=overview.queue,
            failures=sorted(failures, key=lambda failure: failure.finished_us, reverse=True)[:6],
            ended=charts.ended_per_hour(overview.hours, overview.now_us),
            failed=charts.failed_per_hour(overview.hours, overview.now_us),
            whole=not visit.scope,
        )

    async def _machine(self) -> list[Concern]:
        """What is wrong with the server itself."""
        found = [await check() for check in self._checks]
        concerns = [
            Concern(
                check.name,
                "bad" if check.status == "failed" else "warn",
                f"{check.name}: {check.message}",
                check.hint,
            )
            for check in found
            if check.status != "ok"
        ]
        return [*concerns, *_degraded(self._services)]


def _seen(visit: Visit, agent: str) -> bool:
    return not visit.scope or agent in visit.scope


def _verdict(concerns: Sequence[Concern], agents: Sequence[Health]) -> str:
    """The page in one sentence."""
    bad = sum(concern.level == "bad" for concern in concerns)
    if bad:
        rest = len(concerns) - bad
        more = f", {plural(rest, 'more is', 'more are')} worth a look" if rest else ""
        return f"{plural(bad, 'thing needs', 'things need')} you{more}."
    if concerns:
        return f"Nothing is broken; {plural(len(concerns), 'thing is', 'things are')} worth a look."
    live = sum(one.live.agent.stable is not None for one in agents)
    return f"All is well: {plural(live, 'agent')} live, nothing needs you."


def _asked(overview: Overview, visit: Visit) -> Iterator[Concern]:
    waits = [each for each in overview.questions if _seen(visit, each.agent)]
    count = sum(each.count for each in waits)
    if count:
        since = age(min(each.at_us for each in waits), overview.now_us)
        title = plural(count, "question waits for an answer", "questions wait for an answer")
        text = f"Of {', '.join(each.agent for each in waits)}; the oldest was asked {since}."
        yield Concern("questions", "warn", title, text, command="ao questions", links=(("Inbox", "/inbox"),))


def _dead(overview: Overview, visit: Visit) -> Iterator[Concern]:
    waits = [each for each in overview.dead_letters if _seen(visit, each.agent)]
    count = sum(each.count for each in waits)
    if count:
        title = plural(count, "run has failed for good", "runs have failed for good")
        last = age(max(each.at_us for each in waits), overview.now_us)
        text = f"The last one {last}. They keep their input and their steps, and can be replayed."
        yield Concern("letters", "warn", title, text, command="ao dlq ls", links=(("Failures", "/failures"),))


def _failing(agents: Sequence[Health], failures: Sequence[Failure]) -> Iterator[Concern]:
    for one in agents:
        if one.word != "failing":
            continue
        stable = one.live.agent.stable
        own = [failure for failure in failures if failure.agent == one.name and failure.version == stable]
        yield Concern(f"agent-of-{one.name}", "bad", f"{one.name} is failing", agent=one, causes=_causes(own))


def _causes(failures: Sequence[Failure]) -> list[Cause]:
    """Failures with equal messages together, the newest first."""
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.message, []).append(failure)
    return [Cause(message, group[0], len(group)) for message, group in groups.items()][:3]


def _waiting(overview: Overview, names: set[str]) -> Iterator[Concern]:
    queue = overview.queue
    waited_us = 0 if queue.next_since_us is None else overview.now_us - queue.next_since_us
    if queue.ready and queue.workers == 0:
        text = "They start as soon as one is connected."
        yield Concern(
            "workers",
            "bad",
            f"{plural(queue.ready, 'run waits', 'runs wait')} and no worker is connected",
            text,
        )
    elif queue.ready and waited_us > STUCK_US:
        busy = f"All {queue.slots} slots are busy" if queue.running >= queue.slots else "A slot is free"
        running = plural(queue.running, "run is", "runs are")
        text = f"{busy}; {running} running. AO_SLOTS sets how many run at once."
        title = f"{plural(queue.ready, 'run waits', 'runs wait')} for a slot"
        yield Concern("slots", "warn", title, text, links=(("Waiting runs", "/runs?state=pending"),))
    for agent, runs in queue.blocked:
        if agent in names or not overview.agents:
            title = f"{plural(runs, 'run', 'runs')} of {agent} cannot start: it has no live version"
            yield Concern(
                f"version-of-{agent}",
                "bad",
                title,
                "Deploy a version, and they start.",
                command=f"ao deploy {agent}",
            )


def _not_built(agents: Sequence[Health], now_us: int) -> Iterator[Concern]:
    for one in agents:
        live = one.live
        if live.latest_status is not DeploymentStatus.FAILED or now_us - live.latest_at_us > 7 * DAY:
            continue
        version = live.agent.latest
        stays = f"v{live.agent.stable} stays live." if live.agent.stable else "Nothing of it is live."
        links = ((f"Build log of v{version}", f"/agents/{one.name}/deployments/{version}"),)
        text = f"{(live.latest_error or '').partition(chr(10))[0]} — {stays}"
        yield Concern(f"build-of-{one.name}", "warn", f"{one.name} v{version} did not build", text, links=links)


def _degraded(services: Services) -> Iterator[Concern]:
    gaps = services.about.degraded
    if gaps:
        text = f"Not enforced: {'; '.join(gaps)}"
        yield Concern(
            "isolation", "warn", "Runs are not fully isolated on this machine", text, command="ao doctor"
        )

"""Agents: all of them, one of them, and the way back to an earlier version."""

import json
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from ao.control.deployments import NOT_RESTORED, RESTORED
from ao.dashboard import charts
from ao.dashboard.frame import Frame, Visit, redirect
from ao.dashboard.health import DAY_US, all_health, health, record
from ao.dashboard.navigation import Crumb
from ao.dashboard.parameters import version_in
from ao.domain.agent_config import AgentConfig
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import Conflict

SHOWN = 10
MAX_REASON = 1000
AGENTS = Crumb("Agents", "/agents")


@dataclass(frozen=True, slots=True)
class SecretState:
    name: str
    is_set: bool
    shared: bool


class AgentPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._insights = frame.services.store.insights
        self._deployments = frame.services.deployments

    def routes(self) -> list[Route]:
        frame = self._frame
        return [
            frame.page("/agents", self.agents, "list_agents"),
            frame.page("/agents/{agent}", self.agent, "get_agent"),
            frame.page("/agents/{agent}/rollback", self.confirm_rollback, "rollback_agent"),
            frame.action("/agents/{agent}/rollback", self.roll_back, "rollback_agent"),
        ]

    async def agents(self, visit: Visit) -> Response:
        overview = await self._insights.overview(visit.now_us - DAY_US)
        agents = all_health(overview.agents, overview.tallies)
        if visit.scope:
            agents = [one for one in agents if one.name in visit.scope]
        return self._frame.render(visit, "agents.html", title="Agents", section="agents", agents=agents)

    async def agent(self, visit: Visit) -> Response:
        name = visit.path["agent"]
        found = await self._insights.agent(name, visit.now_us - DAY_US, SHOWN)
        one = health(found.live, found.tallies)
        config = AgentConfig.model_validate_json(found.config) if found.config else None
        stored = {secret.name: secret for secret in found.secrets if secret.shared}
        stored |= {secret.name: secret for secret in found.secrets if not secret.shared}
        secrets = [
            SecretState(secret, secret in stored, secret in stored and stored[secret].shared)
            for secret in (config.secrets if config else ())
        ]
        return self._frame.render(
            visit,
            "agent.html",
            title=name,
            section="agents",
            crumbs=(AGENTS,),
            one=one,
            found=found,
            config=config,
            secrets=secrets,
            day=record(found.tallies),
            ended=charts.ended_per_hour(found.hours, found.now_us),
        )

    async def confirm_rollback(self, visit: Visit) -> Response:
        """What a rollback would change, before anything happens."""
        name, to = visit.path["agent"], version_in(visit.query, "to")
        agent = await self._deployments.agent(name)
        target = await self._deployments.get(name, to)
        if target.status is not DeploymentStatus.SUCCEEDED:
            raise Conflict(
                f"{name} v{to} is {target.status}; only a version that succeeded can be live",
                hint=f"`ao deployments {name}` shows which did",
            )
        if agent.stable == to:
            raise Conflict(f"{name} v{to} is live already", hint="there is nothing to take back")
        is_back = to < (agent.stable or 0)
        return self._frame.render(
            visit,
            "rollback.html",
            title=f"Roll {name} back to v{to}?" if is_back else f"Make {name} v{to} live?",
            verb=f"Roll back to v{to}" if is_back else f"Make v{to} live",
            section="agents",
            crumbs=(AGENTS, Crumb(name, f"/agents/{name}")),
            agent=agent,
            target=target,
            cron=json.loads(target.release.config).get("cron") if target.release else None,
            restored=RESTORED,
            not_restored=NOT_RESTORED,
            max_reason=MAX_REASON,
        )

    async def roll_back(self, visit: Visit) -> Response:
        name, to = visit.path["agent"], version_in(visit.form, "to")
        await self._deployments.rollback(name, to, visit.form.get("reason", "")[:MAX_REASON], visit.actor)
        return redirect(f"/agents/{name}")

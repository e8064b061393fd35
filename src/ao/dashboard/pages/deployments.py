"""Deployments: all of them, one with its parts and build log, and what differs between two."""

import json
from collections.abc import Sequence

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit
from ao.dashboard.navigation import Crumb
from ao.dashboard.pages.agents import AGENTS
from ao.dashboard.pages.asked import number
from ao.dashboard.parameters import run_id_in, version_in, version_in_path
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import NotFound
from ao.ids import DeploymentId
from ao.store.insights import DeploymentRow
from ao.wire.schemas import PartDiff

PAGE = 50
COMPARABLE = 200
"""Versions that can be chosen for a comparison."""
LOG_LINES = 2_000
MAX_DIFF_LINES = 3_000
"""Of one comparison; what is longer is cut, and says so."""


class DeploymentPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._insights = frame.services.store.insights
        self._deployments = frame.services.deployments

    def routes(self) -> list[Route]:
        frame = self._frame
        return [
            frame.page("/deployments", self.deployments, "list_agents"),
            frame.page("/agents/{agent}/deployments/{version}", self.deployment, "get_deployment"),
            frame.page("/agents/{agent}/diff", self.diff, "get_diff"),
        ]

    async def deployments(self, visit: Visit) -> Response:
        agent = visit.query.get("agent", "")
        before = run_id_in(visit.query, "before")
        wanted: Sequence[str] = [agent] if agent else visit.scope
        rows = await self._insights.deployments(wanted, DeploymentId(before) if before else None, PAGE + 1)
        return self._frame.render(
            visit,
            "deployments.html",
            title=f"Deployments of {agent}" if agent else "Deployments",
            section="deployments",
            crumbs=(AGENTS, Crumb(agent, f"/agents/{agent}")) if agent else (),
            rows=rows[:PAGE],
            older=rows[PAGE - 1].id if len(rows) > PAGE else None,
            is_first=before is None,
            agent=agent,
        )

    async def deployment(self, visit: Visit) -> Response:
        name, version = visit.path["agent"], version_in_path(visit.path)
        found = await self._deployments.get(name, version)
        rows = await self._insights.deployments([name], None, COMPARABLE)
        after = number(visit, "after", 0)
        log = await self._deployments.log(found.id, after, LOG_LINES)
        row = next((row for row in rows if row.version == version), None)
        others = [
            other.version
            for other in rows
            if other.status is DeploymentStatus.SUCCEEDED and other.version != version
        ]
        parts = json.loads(found.release.parts) if found.release else {}
        return self._frame.render(
            visit,
            "deployment.html",
            title=f"{name} v{version}",
            section="deployments",
            crumbs=(AGENTS, Crumb(name, f"/agents/{name}")),
            name=name,
            found=found,
            starts=self._frame.services.template(name, version),
            live=row is not None and row.live,
            live_version=next((other.version for other in rows if other.live), None),
            parts=sorted(parts.items()),
            config=json.loads(found.release.config) if found.release else None,
            log=log,
            after=after,
            is_cut=len(log) == LOG_LINES,
            others=others,
            compared=_compared(rows, version),
        )

    async def diff(self, visit: Visit) -> Response:
        name = visit.path["agent"]
        before, after = version_in(visit.query, "before"), version_in(visit.query, "after")
        rows = await self._insights.deployments([name], None, COMPARABLE)
        if not rows:
            raise NotFound(f"There is no agent {name}.", hint="`ao agents` lists them")
        parts = await self._deployments.diff(name, before, after) if before != after else ()
        versions = [row.version for row in rows if row.status is DeploymentStatus.SUCCEEDED]
        return self._frame.render(
            visit,
            "diff.html",
            title=f"{name} v{before} → v{after}",
            section="deployments",
            crumbs=(AGENTS, Crumb(name, f"/agents/{name}")),
            name=name,
            before=before,
            after=after,
            versions=versions,
            parts=[part for part in parts if part.change != "same"],
            same=[part.part for part in parts if part.change == "same"],
            lines=_lines(parts),
        )


def _compared(rows: Sequence[DeploymentRow], version: int) -> int | None:
    """What a version is compared with unless somebody chooses: the one before it that succeeded."""
    earlier = [
        row.version for row in rows if row.status is DeploymentStatus.SUCCEEDED and row.version < version
    ]
    return max(earlier, default=None)


def _lines(parts: Sequence[PartDiff]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(part, path) → (kind, line) of every file's difference, together at most `MAX_DIFF_LINES`."""
    left = MAX_DIFF_LINES
    shown: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for part in parts:
        for file in part.files:
            lines = [line for line in file.diff.splitlines() if not line.startswith(("---", "+++"))]
            kept = lines[:left]
            left -= len(kept)
            shown[part.part, file.path] = [(_KINDS.get(line[:1], ""), line) for line in kept]
            if len(kept) < len(lines):
                shown[part.part, file.path].append(("place", f"… {len(lines) - len(kept)} more lines"))
    return shown


_KINDS = {"+": "added", "-": "removed", "@": "place"}

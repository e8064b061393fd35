"""The dashboard as one ASGI application, mounted by the server at `BASE`."""

from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ao.dashboard.assets import Assets
from ao.dashboard.frame import BASE, Frame
from ao.dashboard.login import LoginPages
from ao.dashboard.pages.again import AgainPages
from ao.dashboard.pages.agents import AgentPages
from ao.dashboard.pages.assistants import AssistantPages
from ao.dashboard.pages.deployments import DeploymentPages
from ao.dashboard.pages.failures import FailurePages
from ao.dashboard.pages.home import HomePages
from ao.dashboard.pages.inbox import InboxPages
from ao.dashboard.pages.logs import LogPages
from ao.dashboard.pages.replay import ReplayPages
from ao.dashboard.pages.run import RunPages
from ao.dashboard.pages.runs import RunListPages
from ao.dashboard.pages.schedules import SchedulePages
from ao.dashboard.pages.sessions import SessionPages
from ao.dashboard.pages.workers import WorkerPages
from ao.dashboard.sessions import Sessions
from ao.dashboard.streaming import StreamPages
from ao.server.services import Services

SMALL_BYTES = 500
"""Answers below this size are not compressed."""


class _Pages(Router):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except HTTPException:  # of the router: the path is there for another method, such as that of a form
            await self.default(scope, receive, send)


def create_dashboard(services: Services) -> ASGIApp:
    """All pages over these services."""
    assets = Assets(BASE)
    logins = services.logins
    frame = Frame(services, assets, Sessions(logins, BASE))
    routes = [
        Route("/static/{name}", assets.serve, methods=["GET"], name="static"),
        *LoginPages(frame, logins).routes(),
        *HomePages(frame).routes(),
        *RunPages(frame).routes(),
        *AgainPages(frame).routes(),
        *ReplayPages(frame).routes(),
        *InboxPages(frame).routes(),
        *FailurePages(frame).routes(),
        *LogPages(frame).routes(),
        *StreamPages(frame).routes(),
        *AgentPages(frame).routes(),
        *AssistantPages(frame).routes(),
        *DeploymentPages(frame).routes(),
        *RunListPages(frame).routes(),
        *SchedulePages(frame).routes(),
        *SessionPages(frame).routes(),
        *WorkerPages(frame).routes(),
    ]

    async def lost(scope: Scope, receive: Receive, send: Send) -> None:
        response = await frame.lost(Request(scope, receive))
        await response(scope, receive, send)

    return GZipMiddleware(_Pages(routes, redirect_slashes=False, default=lost), SMALL_BYTES, compresslevel=5)

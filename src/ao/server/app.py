"""The application: routes, error answers and the door in front of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from ao.domain.errors import AoError
from ao.server import failures
from ao.server.auth import Authenticator
from ao.server.door import Door, Rules
from ao.server.express import Express
from ao.server.health import Readiness
from ao.server.openapi import complete
from ao.server.route import Route
from ao.server.routes.access import AccessRoutes
from ao.server.routes.agents import AgentRoutes
from ao.server.routes.assistants import AssistantRoutes
from ao.server.routes.deployments import DeploymentRoutes
from ao.server.routes.fleet import FleetRoutes
from ao.server.routes.live import LiveRoutes
from ao.server.routes.operations import OperationRoutes
from ao.server.routes.questions import QuestionRoutes
from ao.server.routes.replays import ReplayRoutes
from ao.server.routes.runs import RunRoutes
from ao.server.routes.schedules import ScheduleRoutes
from ao.server.routes.sessions import SessionRoutes
from ao.server.routes.steps import StepRoutes
from ao.server.routes.webhooks import WebhookRoutes
from ao.server.services import Services
from ao.server.uploads import Uploads

JSON_LIMIT = 34 << 20
"""Bytes of a JSON body: the largest payload and some room, so that the payload's own error is seen."""


@dataclass(frozen=True, slots=True)
class Site:
    """Pages for people beside the API. They let their visitors in themselves: the door asks for no key."""

    path: str
    """Where they are mounted, such as `/ui`; `/` leads there."""
    app: ASGIApp


def create_app(services: Services, site: Site | None = None) -> FastAPI:
    """The HTTP API over these services, and the site where there is one."""
    app = FastAPI(
        title="AO",
        version=services.about.version,
        summary="Release, run and watch AI agents.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=lambda route: route.name,
    )
    readiness = Readiness(services)
    uploads = Uploads(services.uploads)
    uploads.clear()
    runs = RunRoutes(services)
    runs_router = runs.router()
    routers = [
        LiveRoutes(services).router(),
        runs_router,
        StepRoutes(services).router(),
        QuestionRoutes(services).router(),
        ReplayRoutes(services).router(),
        AgentRoutes(services).router(),
        AssistantRoutes(services).router(),
        DeploymentRoutes(services, uploads).router(),
        ScheduleRoutes(services).router(),
        OperationRoutes(services, readiness).router(),
        AccessRoutes(services).router(),
        WebhookRoutes(services).router(),
        SessionRoutes(services, uploads).router(),
        FleetRoutes(services).router(),
        readiness.router(),
        _openapi_router(app),
    ]
    for router in routers:
        app.include_router(router)
    app.state.methods = _methods(routers)
    if site is not None:
        _add_site(app, site)
    app.state.agent_of = services.agent_of
    app.openapi = complete(app)  # type: ignore[method-assign]
    app.add_exception_handler(AoError, failures.on_ao_error)
    app.add_exception_handler(HTTPException, failures.on_http_exception)
    app.add_exception_handler(ClientDisconnect, failures.on_disconnect)
    rules = Rules(services.local_only, _body_limit(services.max_upload), site.path if site else "")
    app.add_middleware(Express, runs=runs, router=runs_router)
    app.add_middleware(Door, authenticator=Authenticator(services.keys), rules=rules, closing=services.closing)
    return app


def _add_site(app: FastAPI, site: Site) -> None:
    async def enter(_request: Request) -> RedirectResponse:
        return RedirectResponse(f"{site.path}/", 307)

    for path in ("/", site.path):
        app.add_route(path, enter, methods=["GET"], include_in_schema=False)
        app.state.methods[path] = {"GET", "HEAD"}
    app.mount(site.path, site.app)


def _methods(routers: Sequence[APIRouter]) -> dict[str, set[str]]:
    """The methods that each path takes, for the Allow header."""
    methods: dict[str, set[str]] = {}
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                methods.setdefault(route.path_format, set()).update(route.methods or ())
    return methods


def _body_limit(max_upload: int) -> Callable[[str, str], int]:
    def limit(method: str, path: str) -> int:
        takes_archive = (method, path.rpartition("/")[2]) in (("POST", "deployments"), ("PUT", "workspace"))
        return max_upload if takes_archive else JSON_LIMIT

    return limit


def _openapi_router(app: FastAPI) -> APIRouter:
    router = APIRouter(tags=["operations"], route_class=Route)

    @router.get("/v1/openapi.json", response_model=dict[str, Any])
    async def get_openapi() -> JSONResponse:
        """This document."""
        return JSONResponse(app.openapi())

    return router

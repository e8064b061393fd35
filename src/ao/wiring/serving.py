"""What is served: the use cases, behind the API and the dashboard."""

from contextlib import AsyncExitStack
from importlib.metadata import version

from fastapi import FastAPI

from ao.clock import SystemClock
from ao.control.assistants import Assistants
from ao.control.audit import AuditLog
from ao.control.backpressure import Backpressure
from ao.control.catalog import Catalog
from ao.control.deployments import Deployments
from ao.control.fleet import Workers
from ao.control.keys import Keys
from ao.control.logins import SITE_PATH, Logins
from ao.control.logs import Logs
from ao.control.outbound import Outbound
from ao.control.questions import Questions
from ao.control.replays import Replays
from ao.control.runs import Runs
from ao.control.schedules import Schedules
from ao.control.sessions import Sessions
from ao.control.steps import Steps
from ao.control.storage import Storage
from ao.control.ticker import Orders
from ao.control.webhooks import Webhooks
from ao.dashboard.app import create_dashboard
from ao.server.app import Site, create_app
from ao.server.parts import blobs_check, redis_checks, supervisor_check, warm_check, worker_checks
from ao.server.services import About, Services
from ao.store.retention import Kept
from ao.wiring.ground import Ground
from ao.wiring.working import Crew


def make_services(ground: Ground, keys: Keys, crew: Crew | None, stack: AsyncExitStack) -> Services:
    """`crew`: the one of this process, where there is one."""
    store, bus, settings = ground.store, ground.bus, ground.settings
    warming = None if crew is None else crew.warming
    catalog = Catalog(store)
    assistants = Assistants(store, catalog, ground.derivation)
    deployments = Deployments(store, ground.builder, bus, catalog)
    stack.push_async_callback(deployments.close)
    outbound = Outbound(settings.webhook_hosts)
    stack.push_async_callback(outbound.close)
    webhooks = Webhooks(store, ground.payloads, ground.secrets, outbound)
    backpressure = Backpressure(store, *settings.queue_limits)
    return Services(
        runs=Runs(store, ground.blobs, bus, catalog, assistants, webhooks, backpressure),
        assistants=assistants,
        webhooks=webhooks,
        workers=Workers(store, bus),
        steps=Steps(store, ground.payloads),
        replays=Replays(store, catalog, assistants, ground.builder, bus, backpressure),
        sessions=Sessions(store, ground.payloads, ground.workspaces, bus),
        questions=Questions(store, ground.payloads, bus, SystemClock()),
        logs=Logs(store),
        deployments=deployments,
        schedules=Schedules(
            store, ground.blobs, bus, catalog, Orders(store, ground.blobs, catalog), backpressure
        ),
        secrets=ground.secrets,
        keys=keys,
        logins=Logins(store, keys),
        audit=AuditLog(store),
        storage=Storage(store, ground.blobs, ground.home.root, Kept(*settings.kept_us)),
        store=store,
        bus=bus,
        about=_about(ground),
        uploads=ground.home.uploads,
        max_upload=settings.max_upload,
        local_only=settings.loopback,
        checks=(
            *redis_checks(ground.redis),
            blobs_check(ground.blobs),
            supervisor_check(ground.executor),
            *worker_checks(None if crew is None else crew.worker),
            warm_check(settings.warm, ground.executor),
        ),
        template=warming.template if warming is not None else lambda _agent, _version: None,
    )


def _about(ground: Ground) -> About:
    return About(
        version=version("ao-platform"),
        home=ground.home.root,
        database="postgresql" if ground.settings.on_postgres else "sqlite",
        started_us=SystemClock().now_us(),
        sandbox=str(ground.executor.info.level),
        degraded=ground.executor.info.degraded,
    )


def application(services: Services) -> FastAPI:
    """The API and the dashboard."""
    return create_app(services, Site(SITE_PATH, create_dashboard(services)))

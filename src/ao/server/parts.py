"""How the parts of this process are, for readiness and `ao doctor`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ao.blobs import BlobStore
from ao.domain.errors import Unavailable
from ao.sandbox import Executor, Level, Template
from ao.sandbox.process import COLD_LEVEL
from ao.server.services import Check
from ao.wire.schemas import CheckView
from ao.worker.loop import Worker

if TYPE_CHECKING:
    from ao.bus.redis import RedisBus


def redis_checks(redis: "RedisBus | None") -> Sequence[Check]:
    """Never a failure: without Redis everything goes on, by polling."""
    if redis is None:
        return ()

    async def check() -> CheckView:
        try:
            await redis.check()
        except Unavailable as error:
            message = f"{error.message}; other processes find out by polling, some seconds later"
            return CheckView(name="redis", status="warning", message=message, hint=error.hint)
        return CheckView(name="redis", status="ok", message=f"hints travel through {redis.place}")

    return (check,)


def blobs_check(blobs: BlobStore) -> Check:
    """Never a failure: runs with small payloads go on without."""

    async def check() -> CheckView:
        try:
            await blobs.check()
        except Unavailable as error:
            return CheckView(name="blobs", status="warning", message=error.message, hint=error.hint)
        return CheckView(name="blobs", status="ok", message=f"kept in {blobs.place}")

    return check


def supervisor_check(executor: Executor) -> Check:
    async def check() -> CheckView:
        if executor.lost.is_set():
            return CheckView(name="supervisor", status="failed", message="is being restarted")
        return CheckView(name="supervisor", status="ok", message=f"sandboxes: {executor.info.level}")

    return check


def warm_check(mode: str, executor: Executor) -> Check:
    async def check() -> CheckView:
        if mode == "off":
            message = "off: every run starts from nothing (AO_WARM)"
        elif executor.info.level is not Level.NAMESPACES:
            message = f"runs start cold: {COLD_LEVEL}, this is {executor.info.level}"
        else:
            message = _templates_in_words(executor.templates())
        return CheckView(name="warm", status="ok", message=message)

    return check


def _templates_in_words(templates: Sequence[Template]) -> str:
    ready = [template for template in templates if template.state == "ready"]
    size = sum(template.memory_bytes for template in ready) >> 20
    kinds = "1 kind of runs starts" if len(ready) == 1 else f"{len(ready)} kinds of runs start"
    words = [f"{kinds} warm, templates take {size} MiB"]
    words += [
        f"{_name_of(template)} starts cold: {template.why_cold}"
        for template in templates
        if template.state == "cold" and template.why_cold
    ]
    return "; ".join(words)


def _name_of(template: Template) -> str:
    env = template.env
    name = f"{env.get('AO_AGENT')} v{env.get('AO_VERSION')}"
    if "AO_ASSISTANT" in env:
        return f"{env['AO_ASSISTANT']} v{env['AO_ASSISTANT_VERSION']} ({name})"
    return name


def worker_checks(worker: Worker | None) -> Sequence[Check]:
    """Of the worker in this process, where there is one."""
    if worker is None:
        return ()

    async def check() -> CheckView:
        if worker.draining:
            return CheckView(
                name="worker", status="failed", message="draining: runs in flight come to their end"
            )
        return CheckView(name="worker", status="ok", message="takes runs")

    return (check,)

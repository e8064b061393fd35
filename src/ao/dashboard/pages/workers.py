"""Workers: what they have, do and run, why runs wait for them; one can be drained."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from ao.control.fleet import why_queued
from ao.dashboard.frame import Frame, Visit, redirect
from ao.domain.placement import AMOUNTS, amount_words, memory_words
from ao.store.worker_records import FLEET_COUNTED, Worker

RUNS_SHOWN = 20
SHORT_ID = 8


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of something is taken."""

    name: str
    words: str
    used: int
    whole: int


class WorkerPages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._workers = frame.services.workers

    def routes(self) -> list[Route]:
        page, action = self._frame.page, self._frame.action
        return [
            page("/workers", self.workers, "list_workers"),
            action("/workers/{worker_id}/drain", self.drain, "drain_worker"),
        ]

    async def workers(self, visit: Visit) -> Response:
        fleet = await self._workers.look()
        runs = {
            worker_id: [run for run in running if not visit.scope or run.agent in visit.scope]
            for worker_id, running in fleet.runs.items()
        }
        alive = [worker for worker in fleet.workers if worker.lease_until_us > fleet.now_us]
        return self._frame.render(
            visit,
            "workers.html",
            title="Workers",
            section="workers",
            workers=fleet.workers,
            lost={worker.id for worker in fleet.workers} - {worker.id for worker in alive},
            usage={worker.id: usage_of(worker) for worker in fleet.workers},
            runs=runs,
            queues=why_queued(fleet),
            slots=sum(worker.slots for worker in alive),
            busy=sum(worker.running for worker in alive),
            most=RUNS_SHOWN,
            counted=FLEET_COUNTED,
            short=SHORT_ID,
        )

    async def drain(self, visit: Visit) -> Response:
        await self._workers.drain(visit.path["worker_id"], visit.actor)
        return redirect("/workers")


def usage_of(worker: Worker) -> list[Usage]:
    """Slots, and of memory, cores and GPUs those that there are."""
    found = [Usage("slots", f"{worker.running} of {worker.slots} slots", worker.running, worker.slots)]
    for name in AMOUNTS:
        whole, used = getattr(worker.offer.amounts, name), getattr(worker.used, name)
        if whole:
            found.append(Usage(name, _words(name, used, whole), used, whole))
    return found


def _words(name: str, used: int, whole: int) -> str:
    """`16 GiB of 63 GiB memory`, `4 of 16 cores`."""
    if name == "memory":
        return f"{memory_words(used)} of {memory_words(whole)} memory"
    taken = f"{used / 1000:g}" if name == "cpu" else str(used)
    return f"{taken} of {amount_words(name, whole)}"

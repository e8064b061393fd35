"""The workers: what they have and do, why runs wait for them, and how one is taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.bus import CANCEL, Bus
from ao.control import audit
from ao.control.waiting import held_of, none_takes, place_sentence
from ao.domain.placement import Peer, parse
from ao.ids import WorkerId
from ao.store import Store
from ao.store.run_detail import Places
from ao.store.worker_records import Fleet, Queued, Worker


@dataclass(frozen=True, slots=True)
class WhyQueued:
    """Runs that wait for workers in one queue."""

    needs: str
    """What a worker must have; empty: any will do."""
    prefers: str
    runs: int
    since_us: int
    why: str
    """Of the next one."""


class Workers:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def look(self) -> Fleet:
        return await self._store.workers.fleet()

    async def drain(self, worker_id: str, actor: str) -> Worker:
        """It takes nothing more, and ends when what it runs has ended or its grace time is over. NotFound."""
        entry = audit.entry(actor, "worker.drain", f"worker:{worker_id}", "")
        worker = await self._store.workers.drain(WorkerId(worker_id), entry)
        self._bus.publish(CANCEL)  # workers answer it with a heartbeat
        return worker


def why_queued(fleet: Fleet) -> Sequence[WhyQueued]:
    """Why the runs of each queue wait, those that wait longest first."""
    peers = [worker.peer for worker in fleet.workers if worker.lease_until_us > fleet.now_us]
    found = [_why(queue, peers, fleet.now_us) for queue in fleet.queues]
    return sorted(found, key=lambda queue: queue.since_us)


def _why(queue: Queued, peers: Sequence[Peer], now_us: int) -> WhyQueued:
    if queue.placement is None:
        return WhyQueued("", "", queue.runs, queue.since_us, _why_plain(peers))
    placement = parse(queue.placement)
    prefers = ", ".join(f"{name}={value}" for name, value in placement.prefers.items())
    why = place_sentence(Places(placement, queue.since_us, 0, peers), now_us) if peers else _NO_WORKER
    return WhyQueued(placement.wishes(), prefers, queue.runs, queue.since_us, why)


_NO_WORKER = "no worker is connected"


def _why_plain(peers: Sequence[Peer]) -> str:
    taking = [peer for peer in peers if peer.takes]
    if not taking:
        return none_takes(held_of(peers)) if peers else _NO_WORKER
    if any(peer.running < peer.slots for peer in taking):
        return "it is about to be claimed"
    return f"all {sum(peer.slots for peer in taking)} slots are busy"

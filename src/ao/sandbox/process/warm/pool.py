"""All warm slots of an executor: made when missed, kept while memory allows, replaced when they age."""

import asyncio
import contextlib
import itertools
import os
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from ao.domain.errors import SandboxError
from ao.logs import get_logger
from ao.sandbox import SandboxSpec, Template
from ao.sandbox.process.box import ProcessSandbox
from ao.sandbox.process.supervisor import control
from ao.sandbox.process.warm.cores import Cores
from ao.sandbox.process.warm.fit import in_words, key_of, template_of, unfit
from ao.sandbox.process.warm.group import Group, Slot

log = get_logger(__name__)

_REMEMBERED_GROUPS = 256
_LONGEST_WAIT_SECONDS = 1.0
_LONGEST_IMPORT_SECONDS = 10.0
"""So long a run waits for an import that others began."""
_PATIENCE_SECONDS = 0.05
"""A wait that is worth a slot more, where a core is free for it."""
_AT_LEAST = 2
"""Slots of a template that is used: one has the next child ready while the other has a run."""
_GROWTH_BYTES = 64 << 20
_IMPORTS_AT_ONCE = 1
NO_ROOM = "templates have all the memory that they may have"
DIED_WAITING = "a child of its template ended before it had a task"


@dataclass(frozen=True, slots=True)
class WarmOptions:
    enabled: bool = True
    slots: int = 10
    """For each template, at most."""
    memory_bytes: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    """For all templates together; the least used go first."""
    runs: int = 10_000
    """After so many a slot is replaced."""
    quick: bool | None = None
    """Whether children spend CPU to be quicker; None: while cores are idle."""


class Host(Protocol):
    """What the pool needs of its executor."""

    def take_uid(self) -> int: ...
    def give_back_uid(self, uid: int) -> None: ...
    def make_slot(self, id: str, template: SandboxSpec, uid: int) -> None:
        """Raises `SandboxError`."""
        ...

    def fork(self, slot: Slot, id: str, *, quick: bool) -> ProcessSandbox: ...
    def end_slot(self, id: str) -> None: ...


class WarmPool:
    def __init__(self, host: Host, options: WarmOptions) -> None:
        self._host = host
        self._options = options
        self._groups: OrderedDict[Hashable, Group] = OrderedDict()
        """Least used first."""
        self._slots: dict[str, Slot] = {}
        self._wanting: OrderedDict[Hashable, Group] = OrderedDict()
        """Whose turn to grow has not come."""
        self._numbers = itertools.count(1)
        self._kept: list[Hashable] = []
        self._closing = False
        self._cores = Cores()

    async def take(self, spec: SandboxSpec) -> tuple[ProcessSandbox | None, str]:
        """A child that waits for its task, or why there is none. Waits where a cold start would take longer."""
        why = unfit(spec) if self._options.enabled else "switched off by AO_WARM"
        if why:
            return None, why
        group = self._group(spec)
        if group.comes():
            await self._settled(group)
        began, slot = asyncio.get_running_loop().time(), group.take()
        if slot is None and group.comes_soon():
            slot = await self._wait(group)
        waited = asyncio.get_running_loop().time() - began
        if slot is None or (waited > _PATIENCE_SECONDS and not self._cores.are_busy()):
            group.missed = True
        if not group.spare() and (group.missed or len(group.slots) < _AT_LEAST):
            self._grow(group)
        if slot is None:
            return None, group.why_cold or "no child of its template was waiting"
        assert slot.sandbox is not None
        slot.runs += 1
        return slot.sandbox, ""

    async def prepare(self, spec: SandboxSpec) -> str:
        """Return when a child waits for a run like this one, or why none ever will. Who would have to wait for
        the end of a run, since all slots that there may be have one, is not kept."""
        why = unfit(spec) if self._options.enabled else "switched off by AO_WARM"
        if why:
            return why
        group = self._group(spec)
        while not any(slot.state == "ready" for slot in group.slots.values()):
            if group.works() >= self._options.slots:
                return ""
            group.settled.clear()
            if not group.spare():
                self._grow(group)
                if group.why_cold and not group.spare() and group.key not in self._wanting:
                    return group.why_cold
            await group.settled.wait()
        return ""

    def keep(self, specs: Sequence[SandboxSpec]) -> None:
        """Templates of these runs are the last to go, and the first among them the very last."""
        self._kept = [key_of(spec) for spec in specs if not unfit(spec)]

    def templates(self) -> list[Template]:
        return [group.described() for group in self._groups.values()]

    async def _settled(self, group: Group) -> None:
        group.settled.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_IMPORT_SECONDS):
                await group.settled.wait()

    async def _wait(self, group: Group) -> Slot | None:
        waiter: asyncio.Future[Slot | None] = asyncio.get_running_loop().create_future()
        group.waiters.append(waiter)
        try:
            async with asyncio.timeout(min(_LONGEST_WAIT_SECONDS, group.import_seconds)):
                return await waiter
        except TimeoutError:
            return _offered(waiter)
        except asyncio.CancelledError:
            if (slot := _offered(waiter)) is not None:
                group.offer(slot)
            raise
        finally:
            if waiter in group.waiters:
                group.waiters.remove(waiter)

    def _group(self, spec: SandboxSpec) -> Group:
        key = key_of(spec)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key, template_of(spec))
            self._forget_some()
        self._groups.move_to_end(key)
        return group

    def _forget_some(self) -> None:
        for key, group in list(self._groups.items()):
            if len(self._groups) <= _REMEMBERED_GROUPS:
                return
            if not group.slots and not group.waiters and key not in self._wanting:
                del self._groups[key]

    # More slots, and fewer

    def _grow(self, group: Group, most: int = 0) -> Slot | None:
        """Make one more slot; when others are being made, after them: an import takes a core."""
        now = asyncio.get_running_loop().time()
        if self._closing or now < group.not_before or len(group.slots) >= (most or self._options.slots):
            return None
        if self._importing():
            self._wanting[group.key] = group
            return None
        group.missed = False
        if not self._find_room(group, max((slot.bytes for slot in group.slots.values()), default=0)):
            self._fail(group, NO_ROOM, lasting=False)
            return None
        try:
            slot = Slot(f"slot-{next(self._numbers)}", group, self._host.take_uid(), now)
        except ValueError as error:
            group.why_cold = str(error)
            group.settled.set()
            return None
        self._slots[slot.id] = group.slots[slot.id] = slot
        try:
            self._host.make_slot(slot.id, group.template, slot.uid)
        except (SandboxError, OSError) as error:  # a full disk, for one
            self._fail(group, str(error), lasting=False)
            self._drop(slot)
        return slot

    def _importing(self) -> bool:
        return sum(slot.state == "making" for slot in self._slots.values()) >= _IMPORTS_AT_ONCE

    def _grow_next(self) -> None:
        """A slot has been made, or has failed: the turn of the next that can be made."""
        while self._wanting and not self._importing():
            _, group = self._wanting.popitem(last=False)
            if not any(slot.state in ("tidy", "ready") for slot in group.slots.values()):
                self._grow(group)

    def _find_room(self, group: Group, wanted: int) -> bool:
        """End slots of others, the least used first, until so many bytes more fit. Of what is to be kept one
        slot stays, but for what comes before it."""
        ranks = {key: rank for rank, key in enumerate(self._kept)}
        own_rank = ranks.get(group.key, len(ranks))
        for last_resort in (False, True):
            for other in self._groups.values():
                ready = [slot for slot in other.slots.values() if slot.state == "ready"]
                spared = other.key in ranks and (not last_resort or ranks[other.key] < own_rank)
                for slot in ready[1:] if spared else ready:
                    if self._used() + wanted <= self._options.memory_bytes:
                        return True
                    if other is not group:
                        self._end(slot)
        return self._used() + wanted <= self._options.memory_bytes

    def _used(self) -> int:
        return sum(slot.bytes for slot in self._slots.values() if slot.state != "ending")

    def _end(self, slot: Slot) -> None:
        slot.state = "ending"
        self._host.end_slot(slot.id)

    def _fail(self, group: Group, reason: str, *, lasting: bool) -> None:
        reason = in_words(group.template, reason)
        log.info("runs start cold", code=str(group.template.code_dir), reason=reason, for_good=lasting)
        group.fail(reason, asyncio.get_running_loop().time(), lasting=lasting)

    # What the supervisor tells

    def on_message(self, message: control.Message) -> bool:
        """Take it if it is about a slot."""
        slot = self._slots.get(str(message["id"]))
        if slot is None:
            return False
        if message["op"] == "slot" and message["state"] == "free":
            if slot.first_fd is None:
                _get_to_know(slot, message)
            self._on_free(slot, cast("int", message["bytes"]))
        elif message["op"] == "slot":
            self._on_dead(slot, str(message["reason"]), lasting=bool(message["lasting"]))
        elif message["op"] in ("exited", "refused"):
            if slot.state == "making":
                self._fail(slot.group, str(message.get("message", "its sandbox ended")), lasting=False)
            self._drop(slot)
        return True

    def _on_free(self, slot: Slot, size: int) -> None:
        if slot.state == "ending":
            return
        group, slot.bytes = slot.group, size
        if slot.state == "making":
            slot.first_bytes = size
            group.import_seconds = asyncio.get_running_loop().time() - slot.made_at
            group.why_cold = ""
            slot.state = "tidy"
            self._grow_next()
        if not self._find_room(group, 0):
            self._end(slot)
            return self._fail(group, NO_ROOM, lasting=False)
        if self._is_old(slot) and self._succeeded(slot):
            self._end(slot)
            if slot.successor is None:
                self._grow(group)
            return
        self._fork(slot)

    def _is_old(self, slot: Slot, times: int = 1) -> bool:
        most = times * (2 * slot.first_bytes + _GROWTH_BYTES)
        return slot.runs >= times * self._options.runs or slot.bytes > most

    def _succeeded(self, slot: Slot) -> bool:
        """Whether an old slot can go: its successor is there, or there is no room for both. While none can
        be made it stays, for as long again."""
        group, successor = slot.group, slot.successor
        if successor is None or successor.state == "ending":
            paused = asyncio.get_running_loop().time() < group.not_before
            if (paused or self._importing()) and not self._is_old(slot, times=2):
                return False
            if group.has_beside(slot):  # runs find a child there: nobody else has to make room
                room = self._used() + slot.bytes <= self._options.memory_bytes
            else:
                room = self._find_room(group, slot.bytes)
            slot.successor = successor = self._grow(group, most=self._options.slots + 1) if room else None
        return successor is None or successor.state not in ("making", "ending")

    def _fork(self, slot: Slot) -> None:
        """Have a slot that is free and empty ready its next child."""
        if slot.state != "tidy":
            return
        group = slot.group
        quick = not self._cores.are_full() if self._options.quick is None else self._options.quick
        slot.sandbox = self._host.fork(slot, f"{slot.id}-{slot.runs}", quick=quick)
        group.settled.set()
        group.offer(slot)
        if group.missed:
            self._grow(group)

    def _on_dead(self, slot: Slot, reason: str, *, lasting: bool) -> None:
        if slot.state == "ready":
            reason = reason or DIED_WAITING
        if slot.state != "ending" and reason:
            self._fail(slot.group, reason, lasting=lasting)
        slot.state = "ending"

    def on_run_ended(self, sandbox: ProcessSandbox) -> None:
        """A child is gone. Its slot says for itself whether it can be used again."""
        slot = self._slots.get(sandbox.slot_id)
        if slot is None or slot.sandbox is not sandbox:
            return
        slot.sandbox = None
        if slot.state == "ready":
            sandbox.close()
            self.give_up(sandbox)
        elif slot.state == "busy":
            slot.state = "tidy"
            slot.group.had_run(slot)

    def give_up(self, sandbox: ProcessSandbox, reason: str = DIED_WAITING) -> None:
        """A child came to nothing before it had its task: its template is not to be trusted with another."""
        slot = self._slots.get(sandbox.slot_id)
        if slot is not None and slot.state != "ending":
            self._fail(slot.group, reason, lasting=False)
            self._end(slot)

    def _drop(self, slot: Slot) -> None:
        del self._slots[slot.id]
        del slot.group.slots[slot.id]
        slot.state = "ending"
        self._host.give_back_uid(slot.uid)
        if slot.first_fd is not None:
            os.close(slot.first_fd)
        slot.gone.set()
        self._grow_next()
        if not slot.group.spare():
            slot.group.dismiss()

    # The end

    async def cool(self) -> None:
        """End every slot that has no run and wait until it is gone."""
        slots = [slot for slot in self._slots.values() if slot.state != "busy"]
        for slot in slots:
            if slot.state != "ending":
                self._end(slot)
        await asyncio.gather(*(slot.gone.wait() for slot in slots))

    async def close(self) -> None:
        self._closing = True
        await self.cool()

    def lose_all(self) -> None:
        """The supervisor is gone, and all slots with it."""
        for slot in list(self._slots.values()):
            self._drop(slot)


def _offered(waiter: asyncio.Future[Slot | None]) -> Slot | None:
    return waiter.result() if waiter.done() and not waiter.cancelled() else None


def _get_to_know(slot: Slot, message: control.Message) -> None:
    """The first that is heard of its runs' namespaces."""
    slot.namespaces = cast("dict[str, int]", message["namespaces"])
    with contextlib.suppress(ProcessLookupError):
        slot.first_fd = os.pidfd_open(cast("int", message["pid"]))

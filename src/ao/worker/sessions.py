"""The session of one attempt: what its runner is told of it, and what it says, as values to be committed."""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from ao.clock import to_datetime
from ao.control.payloads import Payloads
from ao.control.workspaces import Intake, Workspaces
from ao.domain.errors import InvalidInput, Unavailable
from ao.domain.payload import Payload
from ao.domain.session import MAX_ROLE, NewMessage, SessionWrite, Workspace
from ao.domain.workspace import MAX_ENTRIES, Manifest, to_json
from ao.sandbox import Message
from ao.store.records import Claim
from ao.store.sessions import Opened, SessionMessage, SessionStore
from ao.worker.classify import storable
from ao_runner.protocol import (
    MAX_CONTENT_BYTES,
    MAX_MESSAGES,
    MAX_MESSAGES_BYTES,
    MAX_STATE_BYTES,
    ProtocolError,
)

PAGE = 500
SENT_BYTES = 256 << 10
"""Of messages, and of what steps wrote; what is above is sent when it is asked for."""
FRAME_BYTES = 1 << 20
MAX_AHEAD_BYTES = 4 * MAX_MESSAGES_BYTES
"""Of steps that end at the same time, each with all that the run has said until then."""
MESSAGE_BYTES = 200
"""What a message takes beside its text, and a step that it comes before."""


@dataclass(frozen=True, slots=True)
class Attended:
    """A session that a run has opened."""

    opened: Opened
    manifest: Manifest
    words: Mapping[str, object] = field(repr=False)
    """`session` of the runner protocol."""


class Attendance:
    """Opens sessions for attempts, and makes what they have for them."""

    def __init__(self, store: SessionStore, payloads: Payloads, workspaces: Workspaces) -> None:
        self.store = store
        self.payloads = payloads
        self.workspaces = workspaces

    async def open(self, claim: Claim) -> Attended:
        """Raises StaleWrite, NotFound."""
        opened = await self.store.open(claim.run_id, claim.fence)
        messages = await self.page(opened, 0, SENT_BYTES)
        words: dict[str, object] = {
            "id": opened.key.id,
            "state": await self.payloads.value(opened.base.state),
            "messages": messages,
            "count": opened.base.messages,
            "more": len(messages) < opened.base.messages,
            "writes": _some_of(opened.writes),
            "again": opened.changed,
            "workspace": opened.workspace is not None,
            "max_bytes": self.workspaces.max_bytes,
            "max_entries": MAX_ENTRIES,
        }
        return Attended(opened, await self.workspaces.manifest(opened.workspace), words)

    async def page(self, opened: Opened, after: int, most_bytes: int) -> list[dict[str, object]]:
        """Messages of earlier runs that follow: one at least, then as many as are not too large together."""
        found = await self.store.messages(opened.key, opened.base.version, after, PAGE)
        page: list[dict[str, object]] = []
        size = 0
        for message in found:
            text = await self.payloads.text(message.content) or "null"
            size += len(text)
            if page and size > most_bytes:
                break
            page.append(_told(message, text))
        return page


def _some_of(writes: Mapping[str, Payload]) -> dict[str, object]:
    """By path; null for those that are asked for."""
    told: dict[str, object] = {}
    left = SENT_BYTES
    for path, kept in writes.items():
        text = kept.inline if kept.blob is None else None
        left -= len(text or "")
        told[path] = json.loads(text) if text is not None and left >= 0 else None
    return told


def _told(message: SessionMessage, text: str) -> dict[str, object]:
    at = to_datetime(message.at_us).isoformat()
    said = {"seq": message.seq, "role": message.role, "run": message.run_id, "at": at}
    return {**said, "content": json.loads(text)}


@dataclass(slots=True)
class _Ahead:
    messages: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0


class SessionDesk:
    """Takes the runner's messages about the session, one after the other."""

    def __init__(
        self, attendance: Attendance, attended: Attended, send: Callable[[Message], Awaitable[None]]
    ) -> None:
        self._attendance = attendance
        self._attended = attended
        self._send = send
        self._turn = asyncio.Lock()
        self._intake: Intake | None = None
        self._former = attended.opened.workspace
        self._manifest = attended.manifest
        """Of the former content."""
        self._workspace: Workspace | None = None
        """What is committed next."""
        self._fault: InvalidInput | Unavailable | None = None
        self._ahead: dict[str, _Ahead] = {}
        """Messages that came before the `session` that they belong to, by its step."""
        self._ahead_bytes = 0
        self._last: _Said | None = None
        self._final: SessionWrite | None = None

    @staticmethod
    def takes(message: Message) -> bool:
        return message["type"] in _TAKERS

    async def take(self, message: Message) -> None:
        """Raises ProtocolError when it makes no sense."""
        async with self._turn:
            await _TAKERS[str(message["type"])](self, message)

    def last_word(self, message: Message) -> None:
        """Remember `session` of a result or a pause. Raises ProtocolError."""
        self._last = said_in(message)

    async def last_write(self) -> SessionWrite | None:
        """What the end of the attempt commits; the same whenever it is asked for."""
        async with self._turn:
            said = self._last
            if self._final is None and said is not None and not (said.is_empty and self._workspace is None):
                self._final = await self._kept(said, "")
            return self._final

    async def write_of(self, said: "_Said", step: str) -> SessionWrite:
        """What a step commits. Called in the order in which steps end, and committed in that order."""
        async with self._turn:
            return await self._kept(said, step)

    def close(self) -> None:
        if self._intake is not None:
            self._intake.close()

    async def _kept(self, said: "_Said", step: str) -> SessionWrite:
        keep = self._attendance.payloads.keep
        ahead = self._ahead.get(step) or _Ahead()
        messages = [*ahead.messages, *said.messages]
        write = SessionWrite(
            first=said.first,
            messages=[NewMessage(role, await keep(text, "message")) for role, text in messages],
            state=None if said.state is None else await keep(said.state, "session.state"),
            workspace=self._workspace,
            step=step,
            writes=None if said.writes is None else await keep(said.writes, "the writes of a step"),
        )
        self._ahead.pop(step, None)
        self._ahead_bytes -= ahead.bytes
        self._workspace = None
        return write

    async def _take_part(self, message: Message) -> None:
        path, said = message.get("path"), message.get("messages")
        if not isinstance(path, str) or not isinstance(said, list):
            raise ProtocolError("messages that make no sense")
        more = [_message(each) for each in said]
        size = MESSAGE_BYTES + len(path) + sum(MESSAGE_BYTES + len(text) for _, text in more)
        ahead = self._ahead.setdefault(path, _Ahead())
        ahead.messages += more
        ahead.bytes += size
        self._ahead_bytes += size
        if self._ahead_bytes > MAX_AHEAD_BYTES or len(ahead.messages) > MAX_MESSAGES:
            raise ProtocolError("too many messages before the step that they belong to")

    async def _give_writes(self, message: Message) -> None:
        kept = self._attended.opened.writes.get(str(message.get("path")))
        await self._reply(message, writes=await self._attendance.payloads.value(kept))

    async def _messages(self, message: Message) -> None:
        after = message.get("after")
        if not isinstance(after, int) or after < 0:
            raise ProtocolError("messages from nowhere")
        page = await self._attendance.page(self._attended.opened, after, FRAME_BYTES)
        await self._reply(message, messages=page)

    async def _give_workspace(self, _message: Message) -> None:
        entries: list[dict[str, object]] = []
        size = 0
        async for entry, piece, more in self._attendance.workspaces.contents(self._attended.manifest):
            entries.append({**to_json(entry), "data": base64.b64encode(piece).decode(), "more": more})
            size += len(piece) + 200
            if size > FRAME_BYTES:
                await self._send({"type": "files", "entries": entries, "last": False})
                entries, size = [], 0
        await self._send({"type": "files", "entries": entries, "last": True})

    async def _take_workspace(self, message: Message) -> None:
        items = message.get("entries")
        if not isinstance(items, list):
            raise ProtocolError("a workspace that makes no sense")
        self.close()
        self._fault = None
        try:
            self._intake = self._attendance.workspaces.intake(items, self._former, self._manifest)
            if not self._intake.wanted and (items or self._former is not None):
                await self._finish(self._intake)
        except (InvalidInput, Unavailable) as error:
            await self._reply(message, **_fault(error))
            return
        await self._reply(message, wanted=[entry.path for entry in self._intake.wanted])

    async def _take_data(self, message: Message) -> None:
        if self._intake is None:
            raise ProtocolError("files of no workspace")
        try:
            data = binascii.a2b_base64(cast("str", message.get("data")))
        except (binascii.Error, TypeError, ValueError) as error:
            raise ProtocolError("files that are not base64") from error
        is_last = bool(message.get("id"))
        try:
            if self._fault is None:
                await self._intake.feed(data)
                if is_last:
                    await self._finish(self._intake)
        except (InvalidInput, Unavailable) as error:
            self._fault = error  # told when somebody waits for an answer
        if is_last:
            self._intake.close()
            await self._reply(message, **_fault(self._fault))

    async def _finish(self, intake: Intake) -> None:
        self._former = self._workspace = await intake.finish()
        self._manifest = intake.manifest

    async def _reply(self, message: Message, **fields: object) -> None:
        await self._send({"type": "reply", "id": message.get("id"), **fields})


def _fault(error: InvalidInput | Unavailable | None) -> dict[str, object]:
    """What the runner is told; a disk that is full may have room at the next attempt."""
    if error is None:
        return {}
    return {"error": error.message, "hint": error.hint, "permanent": isinstance(error, InvalidInput)}


_TAKERS: dict[str, Callable[[SessionDesk, Message], Awaitable[None]]] = {
    "session_messages": SessionDesk._messages,
    "session_part": SessionDesk._take_part,
    "session_writes": SessionDesk._give_writes,
    "workspace_get": SessionDesk._give_workspace,
    "workspace": SessionDesk._take_workspace,
    "workspace_data": SessionDesk._take_data,
}


@dataclass(frozen=True, slots=True)
class _Said:
    """`session` of a message, checked; JSON as text."""

    first: int
    messages: list[tuple[str, str]]
    state: str | None
    writes: str | None

    @property
    def size(self) -> int:
        """Characters."""
        return sum(len(text) for _, text in self.messages) + len(self.state or "") + len(self.writes or "")

    @property
    def is_empty(self) -> bool:
        return not self.messages and self.state is None and self.writes is None


def said_in(message: Message) -> _Said | None:
    """None when it says nothing of the session. Raises ProtocolError when that makes no sense."""
    said = message.get("session")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise ProtocolError("a session that is none")
    first, messages, state = said.get("first"), said.get("messages"), said.get("state")
    if (
        not isinstance(first, int)
        or first < 0
        or not isinstance(messages, list)
        or len(messages) > MAX_MESSAGES
    ):
        raise ProtocolError("messages that make no sense")
    if not isinstance(state, dict | None):
        raise ProtocolError("a session's state is an object")
    writes = said.get("writes")
    if not _are_writes(writes):
        raise ProtocolError("a step's writes that make no sense")
    return _Said(
        first,
        [_message(each) for each in messages],
        None if state is None else _text(state, MAX_STATE_BYTES),
        None if writes is None else storable(writes)[1],
    )


def _are_writes(writes: object) -> bool:
    if writes is None:
        return True
    kinds = {"set": dict, "remove": list, "messages": list}
    return (
        isinstance(writes, dict)
        and writes.keys() == kinds.keys()
        and all(isinstance(writes[name], kind) for name, kind in kinds.items())
    )


def _message(said: object) -> tuple[str, str]:
    role = said.get("role") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(role, str) or not 0 < len(role) <= MAX_ROLE:
        raise ProtocolError("a message without a role")
    return str(storable(role)[0]).replace("\0", ""), _text(said.get("content"), MAX_CONTENT_BYTES)


def _text(value: object, most: int) -> str:
    text = storable(value)[1]
    if len(text) > most or len(text.encode()) > most:
        raise ProtocolError(f"more than {most:,} bytes in a session")
    return text

"""A run of a session from its first to its last word: what it finds, and what it leaves."""

from __future__ import annotations

import json
import os

from ao_runner import Refused, ledger, protocol, sessions, workspace
from ao_runner.task import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_runner.ledger import Entry, Ledger
    from ao_runner.task import Fields, Task

STATE_FILE, MESSAGES_FILE = "ao-session-state.json", "ao-session-messages.jsonl"

_directory: list[workspace.Directory] = []


def begin(task: Task) -> None:
    """Before the agent's code: its workspace, and for commands its state and messages as files."""
    directory = workspace.of(task)
    os.environ["AO_WORKSPACE"] = directory.root
    os.makedirs(directory.root, exist_ok=True)
    session = task.session or {}
    if session["workspace"]:
        task.send({"type": "workspace_get", "id": 0})
        directory.unpack(lambda: protocol.receive(task.socket))
    _directory[:] = [directory]
    if task.kind == "command":
        _write_files(task)


def last_word(task: Task, frame: bytes) -> bytes:
    """The encoded `result` with what the session is to be. Raises `Failure`."""
    message = end(task, protocol.decode(frame[protocol.HEADER.size :]))
    try:
        return protocol.encode(message)
    except protocol.TooLarge as error:
        what = "the result and what the session gets with it are too large together: %s" % error
        raise Failure(
            "error", "InvalidResult", what, hint="Commit messages with steps.", permanent=True
        ) from None


def end(task: Task, message: Fields) -> Fields:
    """The last word, `result` or `pause`, with what the session is to be. Raises `Failure`."""
    session = sessions.of_run()
    book = ledger.of_run()
    assert book is not None
    if task.kind == "command":
        _read_files(task, session)
    _directory[0].save(book.channel.call, book.channel.tell)
    try:
        staged = session.staged()
    except ValueError as error:
        raise Failure("error", "ValueError", str(error), permanent=True) from None
    return {**message, "session": sessions.in_frames(staged, "", book.channel.tell)}


def of_step(book: Ledger, entry: Entry) -> Fields | None:
    """`session` of its `step_end`; what is in the workspace now is committed with it."""
    try:
        saved = _directory[0].save(book.channel.call, book.channel.tell)
    except Failure as failure:
        if not failure.fields.get("permanent"):
            raise
        raise Refused("%s. %s" % (failure, failure.fields["hint"])) from None
    said = sessions.of_run().complete(entry, saved)
    return None if said is None else sessions.in_frames(said, entry.path, book.channel.tell)


def replay(entry: Entry) -> None:
    """What the step did to the session, without executing it."""
    sessions.of_run().replay(entry)


def committed(said: Fields, path: str) -> None:
    """The worker has what the step at `path` said of the session."""
    sessions.of_run().committed(said, path)


# --- commands --------------------------------------------------------------------------------------


def _write_files(task: Task) -> None:
    session = sessions.of_run()
    directory = os.path.dirname(task.output_file)
    for variable, name in (("AO_SESSION_STATE", STATE_FILE), ("AO_SESSION_MESSAGES", MESSAGES_FILE)):
        os.environ[variable] = os.path.join(directory, name)
    with open(os.environ["AO_SESSION_STATE"], "w", encoding="utf-8") as file:
        json.dump(session.state.copy(), file, ensure_ascii=False)  # type: ignore[attr-defined]
    with open(os.environ["AO_SESSION_MESSAGES"], "w", encoding="utf-8") as file:
        for message in session.messages:
            file.write(json.dumps(message, ensure_ascii=False) + "\n")


def _read_files(task: Task, session: sessions.Session) -> None:
    """The state that the command has left, and the messages that it has appended."""
    state = _json("AO_SESSION_STATE", _text("AO_SESSION_STATE"))
    if not isinstance(state, dict):
        raise _wrong("AO_SESSION_STATE", "is no JSON object")
    lines = [line for line in _text("AO_SESSION_MESSAGES").splitlines() if line.strip()]
    before = len(session.messages)
    if len(lines) < before:
        raise _wrong("AO_SESSION_MESSAGES", "has lost lines: messages can be appended only")
    try:
        session.state = state
        for line in lines[before:]:
            message = _json("AO_SESSION_MESSAGES", line)
            if not isinstance(message, dict) or set(message) != {"role", "content"}:
                raise _wrong("AO_SESSION_MESSAGES", 'has a line that is not {"role": …, "content": …}')
            session.add(message["role"], message["content"])
    except ValueError as error:
        raise _wrong("AO_SESSION_MESSAGES", "or the state cannot be kept: %s" % error) from None


def _text(variable: str) -> str:
    try:
        with open(os.environ[variable], encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise _wrong(variable, "cannot be read: %s" % error) from None


def _json(variable: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(variable, "is not JSON: %s" % error) from None


def _wrong(variable: str, what: str) -> Failure:
    hint = "docs/sessions.md says what commands find there."
    return Failure("error", "InvalidSession", "the file %s %s" % (variable, what), hint=hint, permanent=True)

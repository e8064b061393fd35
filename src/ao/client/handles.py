"""What the sync client hands out: a run and a deployment that know their server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ao.client import calls, replay_calls
from ao.client.events import Stream
from ao.client.outcome import Patience, is_terminal, output_of
from ao.domain.deployment import DeploymentStatus
from ao.domain.errors import BuildFailed

if TYPE_CHECKING:
    from ao.client.sender import Sender
    from ao.wire import schemas as s
    from ao.wire.steps import QuestionView, StepView


class RunHandle:
    """One run, as it was when last asked for."""

    def __init__(self, client: "Sender", data: Mapping[str, Any]) -> None:
        self._client = client
        self.data = data
        """The run as JSON values."""

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def state(self) -> str:
        return str(self.data["state"])

    @property
    def done(self) -> bool:
        return is_terminal(self.data)

    @property
    def view(self) -> "s.RunView":
        return calls.run_view(self.data)

    def refresh(self) -> "RunHandle":
        self.data = self._client.send_json(calls.get_run(self.id))
        return self

    def wait(self, timeout: float | None = None) -> "RunHandle":
        """Return when the run has ended, whatever its end. WaitTimeout after `timeout` seconds."""
        patience = Patience(timeout)
        while not self.done:
            self.data = self._client.send_json(calls.get_run(self.id, patience.slice(self.data)))
        return self

    def result(self, timeout: float | None = None) -> Any:
        """The output, when the run has completed. Raises RunFailed, or WaitTimeout after `timeout` seconds."""
        return output_of(self.wait(timeout).data)

    def events(self, after: int = 0, *, on_disconnect: str = "continue") -> "Iterator[s.EventView]":
        """Events as they happen, until the run has ended; reconnects without gap or repeat. With
        `on_disconnect="cancel"` the run is cancelled when the connection is lost before its end."""
        call = calls.run_event_stream(self.id, on_disconnect)
        return self._client.follow(Stream(call, calls.event_of, after))

    def logs(self, follow: bool = False, *, after: int = 0, tail: int | None = None) -> "Iterator[s.LogLine]":
        """Lines of stdout and stderr; with `follow` as they come, until the run has ended."""
        if not follow:
            while lines := self._client.send(calls.run_logs(self.id, after, tail)):
                yield from lines
                if tail is not None:
                    return
                after = lines[-1].seq
            return
        stream = Stream(calls.run_event_stream(self.id), calls.lines_of, after)
        for batch in self._client.follow(stream):
            yield from batch

    def attempts(self) -> "list[s.AttemptView]":
        return self._client.send(calls.run_attempts(self.id))

    def steps(self, *, outputs: bool = False) -> "list[StepView]":
        """Steps and spans in the order of their start; with `outputs` their results, too."""
        found: list[StepView] = []
        while batch := self._client.send(calls.run_steps(self.id, len(found), outputs=outputs)):
            found += batch
        return found

    def questions(self) -> "list[QuestionView]":
        """What the run waits for people to answer, newest first."""
        return (self._client.send(calls.list_questions(run=self.id))).items

    def answer(self, value: object, *, question: str | None = None, comment: str = "") -> "QuestionView":
        """Answer this question, or the only one. AlreadyAnswered for a second answer."""
        return self._client.send(calls.answer(self.id, {"answer": value}, question=question, comment=comment))

    def decide(self, approved: bool, *, question: str | None = None, comment: str = "") -> "QuestionView":
        """Approve or deny what the run asks approval for."""
        given: dict[str, object] = {"approved": approved}
        return self._client.send(calls.answer(self.id, given, question=question, comment=comment))

    def fork(self, step: str, *, version: int | None = None) -> "RunHandle":
        """A new run with the results of what this one began before the step of this path."""
        return RunHandle(self._client, self._client.send_json(replay_calls.fork_run(self.id, step, version)))

    def replay(self, *, from_start: bool = False, version: int | None = None) -> "RunHandle":
        """A new run of this one, which has ended: with all that it has recorded, or `from_start`."""
        begin = "start" if from_start else "checkpoint"
        call = replay_calls.replay_run(self.id, begin, version)
        return RunHandle(self._client, self._client.send_json(call))

    def cancel(self) -> "RunHandle":
        self.data = self._client.send_json(calls.cancel_run(self.id))
        return self


class Deployment:
    """One version of an agent, as it was when last asked for."""

    def __init__(self, client: "Sender", view: "s.DeploymentView", warnings: Sequence[str] = ()) -> None:
        self._client = client
        self.view = view
        self.warnings = warnings
        """What packing found worth saying, such as files that look like secrets."""

    @property
    def agent(self) -> str:
        return self.view.agent

    @property
    def version(self) -> int:
        return self.view.version

    def log(self, after: int = 0) -> "Iterator[s.BuildLogLine]":
        """Lines of the build log as they come, until the build has ended."""
        call = calls.deployment_log_stream(self.agent, self.version)
        for line in self._client.follow(Stream(call, calls.build_log_line_of, after)):
            if line is not None:
                yield line

    def refresh(self) -> "Deployment":
        self.view = self._client.send(calls.get_deployment(self.agent, self.version))
        return self

    def wait(self) -> "Deployment":
        """Return when the build has succeeded. Raises BuildFailed."""
        if self.view.status is DeploymentStatus.BUILDING:
            for _ in self.log():
                pass
            self.refresh()
        raise_if_failed(self.view)
        return self


def raise_if_failed(view: "s.DeploymentView") -> None:
    """Raises BuildFailed for a deployment that did not build."""
    if view.status is DeploymentStatus.FAILED:
        raise BuildFailed(
            f"{view.agent} v{view.version} did not build: {view.error or 'no reason was recorded'}",
            hint="its build log has the details; what was live before stays live",
            details={"agent": view.agent, "version": view.version},
        )

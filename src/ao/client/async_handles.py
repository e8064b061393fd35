"""What the async client hands out: a run and a deployment that know their server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ao.client import calls, replay_calls
from ao.client.events import Stream
from ao.client.handles import raise_if_failed
from ao.client.outcome import Patience, is_terminal, output_of
from ao.domain.deployment import DeploymentStatus

if TYPE_CHECKING:
    from ao.client.sender import AsyncSender
    from ao.wire import schemas as s
    from ao.wire.steps import QuestionView, StepView


class AsyncRunHandle:
    """One run, as it was when last asked for."""

    def __init__(self, client: "AsyncSender", data: Mapping[str, Any]) -> None:
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

    async def refresh(self) -> "AsyncRunHandle":
        self.data = await self._client.send_json(calls.get_run(self.id))
        return self

    async def wait(self, timeout: float | None = None) -> "AsyncRunHandle":
        """Return when the run has ended, whatever its end. WaitTimeout after `timeout` seconds."""
        patience = Patience(timeout)
        while not self.done:
            self.data = await self._client.send_json(calls.get_run(self.id, patience.slice(self.data)))
        return self

    async def result(self, timeout: float | None = None) -> Any:
        """The output, when the run has completed. Raises RunFailed, or WaitTimeout after `timeout` seconds."""
        return output_of((await self.wait(timeout)).data)

    def events(self, after: int = 0, *, on_disconnect: str = "continue") -> "AsyncIterator[s.EventView]":
        """Events as they happen, until the run has ended; reconnects without gap or repeat. With
        `on_disconnect="cancel"` the run is cancelled when the connection is lost before its end."""
        call = calls.run_event_stream(self.id, on_disconnect)
        return self._client.follow(Stream(call, calls.event_of, after))

    async def logs(
        self, follow: bool = False, *, after: int = 0, tail: int | None = None
    ) -> "AsyncIterator[s.LogLine]":
        """Lines of stdout and stderr; with `follow` as they come, until the run has ended."""
        if not follow:
            while lines := await self._client.send(calls.run_logs(self.id, after, tail)):
                for line in lines:
                    yield line
                if tail is not None:
                    return
                after = lines[-1].seq
            return
        stream = Stream(calls.run_event_stream(self.id), calls.lines_of, after)
        async for batch in self._client.follow(stream):
            for line in batch:
                yield line

    async def attempts(self) -> "list[s.AttemptView]":
        return await self._client.send(calls.run_attempts(self.id))

    async def steps(self, *, outputs: bool = False) -> "list[StepView]":
        """Steps and spans in the order of their start; with `outputs` their results, too."""
        found: list[StepView] = []
        while batch := await self._client.send(calls.run_steps(self.id, len(found), outputs=outputs)):
            found += batch
        return found

    async def questions(self) -> "list[QuestionView]":
        """What the run waits for people to answer, newest first."""
        return (await self._client.send(calls.list_questions(run=self.id))).items

    async def answer(self, value: object, *, question: str | None = None, comment: str = "") -> "QuestionView":
        """Answer this question, or the only one. AlreadyAnswered for a second answer."""
        return await self._client.send(
            calls.answer(self.id, {"answer": value}, question=question, comment=comment)
        )

    async def decide(self, approved: bool, *, question: str | None = None, comment: str = "") -> "QuestionView":
        """Approve or deny what the run asks approval for."""
        given: dict[str, object] = {"approved": approved}
        return await self._client.send(calls.answer(self.id, given, question=question, comment=comment))

    async def fork(self, step: str, *, version: int | None = None) -> "AsyncRunHandle":
        """A new run with the results of what this one began before the step of this path."""
        return AsyncRunHandle(
            self._client, await self._client.send_json(replay_calls.fork_run(self.id, step, version))
        )

    async def replay(self, *, from_start: bool = False, version: int | None = None) -> "AsyncRunHandle":
        """A new run of this one, which has ended: with all that it has recorded, or `from_start`."""
        begin = "start" if from_start else "checkpoint"
        call = replay_calls.replay_run(self.id, begin, version)
        return AsyncRunHandle(self._client, await self._client.send_json(call))

    async def cancel(self) -> "AsyncRunHandle":
        self.data = await self._client.send_json(calls.cancel_run(self.id))
        return self


class AsyncDeployment:
    """One version of an agent, as it was when last asked for."""

    def __init__(self, client: "AsyncSender", view: "s.DeploymentView", warnings: Sequence[str] = ()) -> None:
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

    async def log(self, after: int = 0) -> "AsyncIterator[s.BuildLogLine]":
        """Lines of the build log as they come, until the build has ended."""
        call = calls.deployment_log_stream(self.agent, self.version)
        async for line in self._client.follow(Stream(call, calls.build_log_line_of, after)):
            if line is not None:
                yield line

    async def refresh(self) -> "AsyncDeployment":
        self.view = await self._client.send(calls.get_deployment(self.agent, self.version))
        return self

    async def wait(self) -> "AsyncDeployment":
        """Return when the build has succeeded. Raises BuildFailed."""
        if self.view.status is DeploymentStatus.BUILDING:
            async for _ in self.log():
                pass
            await self.refresh()
        raise_if_failed(self.view)
        return self

"""A runner at work, spoken to over its socket as a worker does."""

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ao_runner
from ao_runner import protocol

PATIENCE_SECONDS = 60.0
MAIN = Path(ao_runner.__file__).parent / "__main__.py"
SESSION = {
    "id": "s",
    "state": {},
    "messages": [],
    "count": 0,
    "more": False,
    "writes": {},
    "again": False,
    "workspace": False,
    "max_bytes": 1 << 20,
    "max_entries": 100,
}


class Peer:
    """The worker's end. What asks is answered unless it is of a step in `unanswered`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.said: list[dict[str, Any]] = []
        self.unanswered: set[str] = set()

    def send(self, message: dict[str, Any]) -> None:
        self._sock.sendall(protocol.encode(message))

    def answer(self, message: dict[str, Any]) -> None:
        self.send({"type": "reply", "id": message["id"]})

    def until(self, kind: str, path: str | None = None) -> dict[str, Any]:
        """The next message of this kind, about this step."""
        while True:
            message = protocol.receive(self._sock)
            assert message is not None, self.said
            self.said.append(message)
            if message.get("id") and message.get("path") not in self.unanswered:
                self.answer(message)
            if message["type"] == kind and path in (None, message.get("path")):
                return message

    def words(self) -> list[tuple[object, object]]:
        return [(message["type"], message.get("path")) for message in self.said[2:]]


@contextmanager
def runner(directory: Path, source: str, **more: Any) -> Iterator[Peer]:
    (directory / "agent.py").write_text(textwrap.dedent(source))
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_SECONDS)
    fd = theirs.fileno()
    launch = (
        f"import os; os.dup2({fd}, 3); os.execv({sys.executable!r}, [{sys.executable!r}, '-S', {str(MAIN)!r}])"
    )
    command = [sys.executable, "-I", "-S", "-c", launch]
    env = {**os.environ, "AO_WORK_DIR": str(directory)}
    with ours, subprocess.Popen(command, pass_fds=[fd], env=env, stdout=subprocess.DEVNULL) as process:
        theirs.close()
        peer = Peer(ours)
        try:
            peer.until("hello")
            peer.send(
                {
                    "type": "start",
                    "protocol": protocol.VERSION,
                    "entrypoint": {"kind": "function", "target": "agent:main", "command": []},
                    "input": "null",
                    "input_file": str(directory / "input"),
                    "output_file": str(directory / "output"),
                    "code_dir": str(directory),
                    "network": "none",
                    "egress": False,
                    "steps": {"run_id": "a-run", "recorded": [], "more": False, "timeout": None},
                    **more,
                }
            )
            peer.until("started")
            yield peer
        finally:
            process.kill()


def test_what_is_done_at_most_once_may_begin_again_when_it_was_cancelled_before_it_began(
    tmp_path: Path,
) -> None:
    source = """
        import asyncio
        from ao_runner import Retry, step
        async def pay():
            return "paid"
        async def order():
            try:
                return await asyncio.wait_for(step.run("pay", pay, once=True), 0.1)
            except asyncio.TimeoutError:
                raise Retry("the store takes its time", after=0) from None
        def main(task):
            return asyncio.run(step.run("order", order, retries=1))
        """
    with runner(tmp_path, source) as peer:
        peer.unanswered.add("order/pay")
        peer.until("step", "order/pay")
        ended = peer.until("step_end", "order/pay")
        assert (ended["error"]["type"], ended["again"]) == ("CancelledError", True)
        peer.unanswered.clear()
        assert peer.until("result")["value"] == "paid"
        assert peer.words().count(("step", "order/pay")) == 2


def test_a_question_is_asked_also_by_who_has_closed_standard_output(tmp_path: Path) -> None:
    source = """
        import sys
        from ao_runner import ask
        def main(task):
            sys.stdout.close()
            return ask("Well?")
        """
    with runner(tmp_path, source) as peer:
        assert peer.until("pause")["questions"] == ["ask"]


def test_a_sleep_ends_in_time_beside_a_step_that_takes_longer(tmp_path: Path) -> None:
    source = """
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        from ao_runner import sleep, step
        def in_threads(begun, over):
            def slow():
                begun.set()
                return over.wait(60)
            with ThreadPoolExecutor(1) as pool:
                slow = pool.submit(step.run, "thread", slow)
                begun.wait()
                sleep(1.2, name="in a thread")
                over.set()
                return slow.result()
        async def in_tasks(begun, over):
            async def slow():
                begun.set()
                await asyncio.wait_for(over.wait(), 60)
                return True
            task = asyncio.create_task(step.run("task", slow))
            await begun.wait()
            await sleep(1.2, name="in a task")
            over.set()
            return await task
        async def both():
            threads = asyncio.to_thread(in_threads, threading.Event(), threading.Event())
            return await asyncio.gather(threads, in_tasks(asyncio.Event(), asyncio.Event()))
        def main(task):
            return asyncio.run(both())
        """
    with runner(tmp_path, source) as peer:
        assert peer.until("result")["value"] == [True, True]


def test_an_answer_that_comes_after_the_end_of_its_loop_holds_up_nobody(tmp_path: Path) -> None:
    source = """
        import asyncio
        from ao_runner import step
        class Loop(asyncio.SelectorEventLoop):
            def is_closed(self):
                return False  # as it was for who has looked a moment before
        async def soon():
            return 1
        def main(task):
            loop = Loop()
            waiting = loop.create_task(step.run("early", soon))
            while not step_has_ended(waiting):
                loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            return step.run("late", int)
        def step_has_ended(task):
            return task.get_stack() and task._fut_waiter is not None
        """
    with runner(tmp_path, source) as peer:
        peer.unanswered = {"early", "late"}
        early = peer.until("step_end", "early")
        late = peer.until("step_end", "late")
        peer.answer(early)
        peer.answer(late)
        assert peer.until("result")["value"] == 0


def test_a_step_that_is_cancelled_has_come_to_its_end_before_others_go_on(tmp_path: Path) -> None:
    source = """
        import asyncio, contextlib
        from ao_runner import step
        async def main(task):
            begun, done = asyncio.Event(), []
            async def work():
                begun.set()
                try:
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0.05)
                    done.append("cleaned")
            working = asyncio.create_task(step.run("work", work, timeout=30))
            await begun.wait()
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
            return done
        """
    with runner(tmp_path, source) as peer:
        assert peer.until("result")["value"] == ["cleaned"]


def test_what_a_step_has_left_running_writes_to_what_the_step_was_in(tmp_path: Path) -> None:
    source = """
        import contextvars, threading
        from ao_runner import session, step
        def main(task):
            go = threading.Event()
            def later():
                go.wait()
                session.state["late"] = 1
                session.add("user", "late")
            def outer():
                session.state["early"] = 1
                thread = threading.Thread(target=contextvars.copy_context().run, args=(later,))
                thread.start()
                threads.append(thread)
            threads = []
            step.run("outer", outer)
            go.set()
            threads[0].join()
            return [dict(session.state), [message["content"] for message in session.messages]]
        """
    with runner(tmp_path, source, session=SESSION) as peer:
        result = peer.until("result")
        assert result["value"] == [{"early": 1, "late": 1}, ["late"]]
        assert result["session"]["state"] == {"early": 1, "late": 1}

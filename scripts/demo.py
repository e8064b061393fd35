"""`make demo`: the product end to end, in a temporary home that is gone afterwards.

Uses what a user has: the `ao` command as a subprocess, and the public Python client.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ao import Client

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "support-triage"
AGENT = "support-triage"
START_SECONDS = 30.0
STOP_SECONDS = 20.0


class Demo:
    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.project = root / AGENT
        # Nothing of the user's own AO: neither its server nor its key.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("AO_")}
        self.env["AO_HOME"] = str(self.home)
        self.first_deploy_seconds = 0.0

    def title(self, text: str) -> None:
        bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(f"\n\x1b[1m{text}\x1b[0m" if bold else f"\n{text}", flush=True)

    def ao(self, *arguments: str) -> None:
        """One command, shown as typed; its output goes straight to the terminal."""
        print(f"$ {shlex.join(('ao', *arguments))}", flush=True)
        subprocess.run(
            [sys.executable, "-m", "ao.cli", *arguments], cwd=self.project.parent, env=self.env, check=True
        )

    def play(self) -> None:
        shutil.copytree(EXAMPLE, self.project)
        with self.platform(), Client(home=self.home) as client:
            self.title("1. Deploy an agent with a pip dependency")
            started = time.monotonic()
            self.ao("deploy", AGENT, "-m", "First version")
            self.first_deploy_seconds = time.monotonic() - started

            self.title("2. Run it: the first attempt fails, the second reads why and succeeds")
            self.ao("run", AGENT, "-f")
            first = client.list_runs(agent=AGENT).items[0].id
            self.timings(client, first)

            self.title("3. Change the prompt and a line of code, deploy again, compare")
            self.change()
            self.ao("deploy", AGENT, "-m", "Route exports, louder report")
            self.ao("diff", AGENT, "v1", "v2")
            self.ao("run", AGENT, "-i", '{"outage": false}', "--wait")

            self.title("4. Roll back: a pointer moves, nothing is rebuilt")
            self.ao("rollback", AGENT, "--to", "v1", "--reason", "demo")
            self.ao("run", AGENT, "-i", '{"outage": false}', "--wait")
            self.ao("runs")
            self.verify(client, first)

    def change(self) -> None:
        prompt, code = self.project / "prompts" / "triage.md", self.project / "agent.py"
        _replace(prompt, "- incident: down", "- data: export, csv, import\n- incident: down")
        _replace(
            code,
            'print("stage 3: sorting", flush=True)',
            'print("stage 3: sorting by the new rubric", flush=True)',
        )

    def timings(self, client: Client, run_id: str) -> None:
        run = client.get_run(run_id)
        for attempt in run.attempts():
            assert attempt.finished_at is not None
            took = (attempt.finished_at - attempt.started_at).total_seconds()
            after = (attempt.started_at - run.view.created_at).total_seconds()
            ending = attempt.error.message if attempt.error else "completed"
            print(
                f"attempt {attempt.number}: started after {after:.3f} s, took {took:.3f} s, {ending}",
                flush=True,
            )

    def verify(self, client: Client, first: str) -> None:
        """What was shown is also true."""
        retried, latest = client.get_run(first).view, client.list_runs(agent=AGENT).items[0]
        assert (retried.state, retried.attempt, retried.version) == ("completed", 2, 1), retried
        assert (latest.state, latest.version) == ("completed", 1), latest
        assert client.agent(AGENT).stable == 1

    @contextmanager
    def platform(self) -> Iterator[None]:
        """A server on a free port for as long as the block lasts."""
        self.title("AO starts in a temporary home on a free port")
        command = [sys.executable, "-m", "ao.cli", "up", "--port", "0", "--json"]
        log = (self.project.parent / "ao.log").open("wb")
        # Its own group: Ctrl-C reaches this script only, which then stops the server in order.
        server = subprocess.Popen(
            command, env=self.env, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            facts = json.loads(line) if line.strip() else {}
            if "url" not in facts:
                raise SystemExit(
                    f"the platform did not start: {facts.get('message') or Path(log.name).read_text()}"
                )
            print(f"{facts['url']}, sandbox: {facts['sandbox']}", flush=True)
            for gap in facts["degraded"]:
                print(f"NOT ENFORCED on this host: {gap}", flush=True)
            yield
        finally:
            _stop(server)
            log.close()


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new))


def _stop(server: "subprocess.Popen[bytes]") -> None:
    # An impatient second Ctrl-C must not leave a server behind; what follows has a limit of its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout is not None:
        server.stdout.close()


def _remove(root: Path) -> None:
    """Releases are read-only; that must not keep them."""
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o700)
    shutil.rmtree(root)


def _left_behind(root: Path) -> list[str]:
    """Processes that still name the temporary directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue  # it ended, or it is another user's
        if str(root).encode() in text and entry.name != str(os.getpid()):
            found.append(entry.name)
    return found


def main() -> int:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    started = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="ao-demo-"))
    demo = Demo(root)
    try:
        demo.play()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except subprocess.CalledProcessError as error:
        print(f"\nthe demo failed: `ao {error.cmd[3]}` exited with {error.returncode}", file=sys.stderr)
        print((root / "ao.log").read_text()[-4000:], file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _remove(root)
        leftovers = _left_behind(root)
        if leftovers:
            print(f"processes are left behind: {', '.join(leftovers)}", file=sys.stderr)
    seconds = time.monotonic() - started
    downloads = f"{demo.first_deploy_seconds:.1f} s of it for the first deploy with the agent's downloads"
    print(f"\nDone in {seconds:.1f} s, {downloads}.", flush=True)
    if leftovers:
        return 1
    print("The home directory and every process are gone.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`ao run --on-disconnect cancel`: the run ends with the command."""

import signal

from tests.acceptance.command import Ao
from tests.acceptance.projects import project
from tests.platform import until


def test_a_command_that_is_interrupted_takes_its_run_with_it(ao: Ao) -> None:
    agent = "import time\ndef main(task):\n    print('here', flush=True)\n    time.sleep(600)\n"
    ao.ok("deploy", str(project(ao.cwd / "sleepy", "sleepy", agent=agent)))
    following = ao.start("run", "sleepy", "--follow", "--on-disconnect", "cancel", "--idempotency-key", "k")
    assert following.stderr is not None
    for line in following.stderr:
        if "here" in line:
            break
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=60)
    assert (following.returncode, "is being cancelled" in err) == (130, True)
    run = ao.ok("run", "sleepy", "--idempotency-key", "k").out.strip()
    until(lambda: ao.ok("show", run, "--json").json["run"]["state"] == "cancelled", 60)


def test_a_run_that_ends_first_answers_as_usual(ao: Ao) -> None:
    ao.ok("deploy", str(project(ao.cwd / "quick", "quick")))
    done = ao.ok("run", "quick", "-i", "{}", "--wait", "--on-disconnect", "cancel", "--json")
    assert done.json["state"] == "completed"
    assert ao("run", "quick", "--on-disconnect", "cancel").status == 2
    assert ao("run", "quick", "--wait", "--timeout", "9", "--on-disconnect", "cancel").status == 2

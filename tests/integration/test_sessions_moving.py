"""Sessions outlive their server, and go on with another worker on another home."""

from pathlib import Path

from pydantic import JsonValue
from tests.local import Local, local_platform
from tests.platform import Up, until

from ao import Client

AGENT = """
import os, time
from ao_runner import session, step

def work(text):
    session.add("user", text)
    step.run("first", lambda: session.state.update(seen=session.state.get("seen", 0) + 1))
    print("first is done", flush=True)
    if text == "slow" and os.environ["AO_ATTEMPT"] == "1":
        time.sleep(600)
    file = session.workspace / "log"
    with file.open("a") as log:
        log.write(text + " ")
    session.add("assistant", text + "!")
    return [session.state["seen"], file.read_text(), [message["content"] for message in session.messages]]
"""
FUNCTION = 'entrypoint = "agent:work"\n'


def test_a_session_survives_its_server_that_is_killed_in_the_middle_of_a_run(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "ao.toml").write_text(f'name = "chat"\n{FUNCTION}')
    (project / "agent.py").write_text(AGENT)
    server = Up(tmp_path / "home")
    server.start()
    try:
        with Client(home=server.home) as client:
            client.deploy(project).wait()
            assert client.run("chat", "one", session="s").result(60)[0] == 1
            slow = client.run("chat", "slow", session="s")
            after = client.run("chat", "after", session="s")
            until(lambda: "first is done" in [line.text for line in slow.logs()])
        server.kill()
        server.start()
        with Client(home=server.home) as client:
            seen, log, messages = client.get_run(slow.id).result(60)
            assert client.get_run(slow.id).data["attempt"] == 2
            assert (seen, log, messages) == (2, "one slow ", ["one", "one!", "slow", "slow!"])
            assert client.get_run(after.id).result(60)[1] == "one slow after "
            roles = [message.role for message in client.sessions.messages("chat", "s")]
            assert roles == ["user", "assistant"] * 3
    finally:
        server.stop()


async def worked_by(ao: Local, text: str) -> JsonValue:
    return await ao.output(await ao.run("chat", text, session="s"))


async def test_a_session_goes_on_with_the_worker_of_another_home(tmp_path: Path, postgres_url: str) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    variables = {"AO_DATABASE_URL": postgres_url}
    for home in (first / "home", second / "home"):
        home.mkdir(parents=True)
    (first / "home/blobs").mkdir()
    (second / "home/blobs").symlink_to(first / "home/blobs")
    async with local_platform(first, variables) as ao:
        await ao.deploy("chat", {"agent.py": AGENT}, toml=FUNCTION)
        assert await worked_by(ao, "one") == [1, "one ", ["one", "one!"]]
    async with local_platform(second, variables) as ao:
        await ao.deploy("chat", {"agent.py": AGENT}, toml=FUNCTION)
        expected: JsonValue = [2, "one two ", ["one", "one!", "two", "two!"]]
        assert await worked_by(ao, "two") == expected

"""What is said between runner and worker while the agent's code runs."""

import asyncio
import dataclasses

from ao.sandbox import Message
from ao.testing.sandbox_conformance.rig import PATIENCE_SECONDS, Rig, finish
from ao_runner import protocol

STEPS: Message = {"run_id": "a-run", "recorded": [], "more": False, "timeout": None}


async def _converse(rig: Rig, source: str, steps: Message | None) -> list[Message]:
    """Everything that the runner says of its agent, without hello and goodbye; what asks is answered, what ends
    is confirmed."""
    sandbox = await rig.executor.start(dataclasses.replace(rig.spec(source), steps=steps))
    said: list[Message] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (message := await sandbox.receive()) is not None:
            if message["type"] not in ("hello", "over"):
                said.append(message)
            if message.get("id"):
                await sandbox.send({"type": "reply", "id": message["id"]})
        while await sandbox.read_stdout() or await sandbox.read_stderr():
            pass
        await sandbox.wait()
    return said


async def test_a_step_goes_on_when_its_result_was_confirmed(rig: Rig) -> None:
    source = """
        from ao_runner import step
        def main(input):
            return step.run("add", lambda a, b: [a + b], 1, 2, once=True)
        """
    said = await _converse(rig, source, STEPS)
    assert [message["type"] for message in said] == ["started", "step", "step_end", "result"]
    begun, ended = said[1], said[2]
    assert (begun["path"], begun["once"], begun["parent"]) == ("add", True, None)
    assert (ended["path"], ended["value"]) == ("add", [3])
    assert begun["id"] != ended["id"]
    assert said[3]["value"] == [3]


async def test_a_recorded_step_says_nothing_and_gives_its_record(rig: Rig) -> None:
    record: Message = {"path": "one", "fingerprint": "", "state": "completed", "value": {"kept": True}}
    source = """
        from ao_runner import step
        def main(input):
            return step.run("one", lambda: 1 / 0)
        """
    said = await _converse(rig, source, {**STEPS, "recorded": [record]})
    assert [message["type"] for message in said] == ["started", "result"]
    assert said[1]["value"] == {"kept": True}


async def test_a_runner_of_a_worker_without_steps_says_so(rig: Rig) -> None:
    said = await _converse(rig, "from ao_runner import step\ndef main(input): step.run('a', int)", None)
    assert "knows no steps" in str(said[-1]["message"])


async def test_the_runner_says_which_versions_it_speaks(rig: Rig) -> None:
    cold = dataclasses.replace(rig.spec("def main(input): return 1"), warm=False)
    said = (await finish(await rig.executor.start(cold))).messages
    assert said[0]["protocols"] == list(protocol.PROTOCOLS) == [protocol.VERSION - 1, protocol.VERSION]

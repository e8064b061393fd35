"""Input, output and errors of functions, scripts and commands."""

import dataclasses

import pytest

from ao.domain.errors import SandboxError
from ao.sandbox import Entrypoint, Level, StopCause
from ao.testing.sandbox_conformance.rig import Rig, finish, line

SCRIPT = Entrypoint("script", "tool.py")


async def test_a_function_gets_its_input_and_its_value_is_the_result(rig: Rig) -> None:
    ran = await rig.run("def main(input): return {'got': input}", {"ü": [1, 2.5, None, "\ud83d"]})
    assert ran.result == {"got": {"ü": [1, 2.5, None, "\ud83d"]}}
    said = [message["type"] for message in ran.messages if message["type"] != "over"]
    assert said == (["started", "result"] if ran.info.warm else ["hello", "started", "result"])
    assert (ran.exit.exit_code, ran.exit.signal, ran.exit.cause) == (0, None, None)


async def test_a_function_without_parameters_is_called_without_input(rig: Rig) -> None:
    assert (await rig.run("def main(): return 1", {"ignored": True})).result == 1


async def test_a_callable_object_and_a_decorated_function_get_the_input(rig: Rig) -> None:
    source = """
        import functools
        class Agent:
            def __call__(self, input): return ["object", input]
            def method(self, input): return ["method", input]
        agent = Agent()
        def wrap(function):
            @functools.wraps(function)
            def inner(*args): return function(*args)
            return inner
        @wrap
        def wrapped(input): return ["wrapped", input]
        """
    for name, word in (("agent", "object"), ("agent.method", "method"), ("wrapped", "wrapped")):
        ran = await rig.run(source, 7, entrypoint=Entrypoint("function", f"agent:{name}"))
        assert ran.result == [word, 7]


async def test_an_async_function_is_awaited(rig: Rig) -> None:
    source = """
        import asyncio
        async def main(input):
            await asyncio.sleep(0)
            return input + 1
        """
    assert (await rig.run(source, 1)).result == 2


async def test_a_generator_sends_each_value_and_its_return_value_is_the_result(rig: Rig) -> None:
    source = """
        def main(input):
            yield from range(input)
            return "done"
        """
    ran = await rig.run(source, 3)
    assert ran.partials == [0, 1, 2]
    assert ran.result == "done"


async def test_an_async_generator_sends_each_value(rig: Rig) -> None:
    source = """
        async def main(input):
            for number in range(input):
                yield {"n": number}
        """
    ran = await rig.run(source, 2)
    assert ran.partials == [{"n": 0}, {"n": 1}]
    assert ran.result is None


async def test_a_script_reads_its_input_from_the_environment_and_writes_its_result(rig: Rig) -> None:
    source = """
        import json, os
        if __name__ == "__main__":
            with open(os.environ["AO_OUTPUT"], "w") as file:
                json.dump({"twice": json.loads(os.environ["AGENT_INPUT"]) * 2}, file)
        """
    assert (await rig.run({"tool.py": source}, 21, entrypoint=SCRIPT)).result == {"twice": 42}


async def test_a_script_may_write_no_result_and_import_its_neighbours(rig: Rig) -> None:
    files = {"src/tool.py": "import near\nprint(near.WORD)", "src/near.py": "WORD = 'neighbour'"}
    ran = await rig.run(files, entrypoint=Entrypoint("script", "src/tool.py"))
    assert ran.result is None
    assert ran.stdout == b"neighbour\n"


async def test_a_command_in_any_language_gives_a_result(rig: Rig) -> None:
    files = {"run.sh": '#!/bin/sh\nprintf \'{"input": %s, "word": "%s"}\' "$AGENT_INPUT" "$1" > "$AO_OUTPUT"\n'}
    ran = await rig.run(files, [1], entrypoint=Entrypoint("command", command=("./run.sh", "hello")))
    assert ran.result == {"input": [1], "word": "hello"}


async def test_a_command_finds_programs_of_the_environment(rig: Rig) -> None:
    command = Entrypoint("command", command=("python", "-c", "import sys; print(sys.prefix)"))
    assert (await rig.run({"x": ""}, entrypoint=command)).stdout.decode().strip() == str(rig.env_dir)


async def test_output_that_is_not_json_is_an_error(rig: Rig) -> None:
    command = Entrypoint("command", command=("sh", "-c", 'echo "no json" > "$AO_OUTPUT"'))
    error = (await rig.run({"x": ""}, entrypoint=command)).error
    assert "AO_OUTPUT is not JSON" in str(error["message"])


async def test_output_that_json_does_not_know_is_an_error_that_names_the_place(rig: Rig) -> None:
    command = Entrypoint("command", command=("sh", "-c", 'echo \'{"score": NaN}\' > "$AO_OUTPUT"'))
    error = (await rig.run({"x": ""}, entrypoint=command)).error
    assert "AO_OUTPUT.score is nan" in str(error["message"])


async def test_a_long_input_arrives_in_a_file_and_as_the_argument(rig: Rig) -> None:
    source = """
        import os
        def main(input):
            with open(os.environ["AGENT_INPUT_FILE"]) as file:
                return [len(input), len(file.read()), "AGENT_INPUT" in os.environ]
        """
    assert (await rig.run(source, "x" * 1_000_000)).result == [1_000_000, 1_000_002, False]


async def test_the_environment_is_the_agents_and_nothing_of_the_workers(rig: Rig) -> None:
    ran = await rig.run("import os\ndef main(): return dict(os.environ)", env={"MINE": "yes", "HOME": "/lie"})
    environment = ran.result
    assert environment["MINE"] == "yes"
    assert environment["HOME"] == environment["AO_WORK_DIR"] != "/lie"
    known = {"PATH", "VIRTUAL_ENV", "LANG", "USER", "LOGNAME", "SHELL", "HOME", "TMPDIR", "PWD", "MINE"}
    assert {name for name in environment if not name.startswith(("AO_", "AGENT_", "PYTHON"))} <= known


async def test_a_variable_that_holds_a_nul_is_refused(rig: Rig) -> None:
    for env in ({"X": "a\0--bind\0/\0/host"}, {"X\0Y": "1"}, {"A=B": "1"}):
        with pytest.raises(SandboxError, match="cannot be passed on"):
            await rig.run("def main(): return 1", env=env)


async def test_half_a_surrogate_pair_does_no_harm(rig: Rig) -> None:
    source = """
        import json, os
        def main(input): return [input, json.loads(os.environ["AGENT_INPUT"]), os.environ["X"]]
        """
    spec = dataclasses.replace(rig.spec(source, env={"X": "a\ud83db"}), input_json='"\ud83d"')
    ran = await finish(await rig.executor.start(spec))
    assert ran.result == ["\ud83d", "\ud83d", "a?b"]


async def test_the_work_directory_and_tmp_are_empty_and_writable(rig: Rig) -> None:
    source = """
        import os, tempfile
        def main():
            before = os.listdir(os.environ["AO_WORK_DIR"])
            with open(os.path.expanduser("~/file"), "w") as file: file.write("x")
            with tempfile.NamedTemporaryFile() as file: file.write(b"x")
            return [before, os.getcwd()]
        """
    spec = rig.spec(source)
    ran = await finish(await rig.executor.start(spec))
    assert ran.result == [[], str(spec.code_dir)]


async def test_an_exception_is_told_with_type_line_and_a_traceback_of_the_agent_only(rig: Rig) -> None:
    source = """
        def inner(): raise KeyError("missing")
        def main(input):
            try: inner()
            except KeyError as error: raise ValueError("bad input") from error
        """
    ran = await rig.run(source)
    error = ran.error
    assert (error["kind"], error["error_type"]) == ("error", "ValueError")
    assert error["message"] == "ValueError: bad input"
    assert "in inner" in str(error["traceback"])
    assert "KeyError" in str(error["traceback"])
    assert "ao_runner" not in str(error["traceback"])
    assert error["permanent"] is False
    assert ran.exit.exit_code == 1


async def test_permanent_and_retry_are_told(rig: Rig) -> None:
    source = """
        from ao_runner import Permanent, Retry
        def main(input):
            if input == "permanent": raise Permanent("no such customer")
            raise Retry("busy", after=2.5)
        """
    permanent = (await rig.run(source, "permanent")).error
    assert (permanent["permanent"], permanent["message"]) == (True, "ao_runner.Permanent: no such customer")
    assert (await rig.run(source)).error["retry_after"] == 2.5


async def test_a_missing_module_says_what_to_add(rig: Rig) -> None:
    error = (await rig.run("import yaml\ndef main(): pass")).error
    assert error["message"] == "ModuleNotFoundError: No module named 'yaml'"
    assert "pyyaml" in str(error["hint"])


async def test_a_misspelt_function_gets_a_suggestion(rig: Rig) -> None:
    error = (await rig.run("def mian(): pass")).error
    assert error["message"] == "agent has no function main"
    assert "agent:mian" in str(error["hint"])


async def test_a_syntax_error_names_file_and_line(rig: Rig) -> None:
    error = (await rig.run("x = 1\ndef main(:\n  pass")).error
    assert error["error_type"] == "SyntaxError"
    assert 'agent.py", line 2' in str(error["traceback"])


async def test_a_result_that_is_not_json_names_the_place(rig: Rig) -> None:
    source = """
        import datetime
        def main(): return {"items": [1, {"when": datetime.datetime.now()}]}
        """
    error = (await rig.run(source)).error
    assert "result.items[1].when is datetime.datetime" in str(error["message"])
    lossy = (await rig.run("def main(): return [{1: 'a', True: 'b', '1': 'c'}]")).error
    assert "result[0] has the keys 1 and '1', which are one there" in str(lossy["message"])
    assert "result is nan" in str((await rig.run("def main(): return float('nan')")).error["message"])


async def test_exit_statuses_are_told_apart(rig: Rig) -> None:
    def exiting(how: str) -> str:
        return f"import os, sys\ndef main():\n    print('last words', end='')\n    {how}"

    ended = await rig.run(exiting("sys.exit(3)"))
    assert (ended.error["kind"], ended.error["exit_code"]) == ("exit", 3)
    assert (ended.exit.exit_code, ended.stdout) == (3, b"last words")
    silent = await rig.run(exiting("os._exit(4)"))
    assert (silent.messages[-1]["type"], silent.exit.exit_code) == ("started", 4)
    good = await rig.run(exiting("sys.exit()"))
    assert (good.result, good.exit.exit_code) == (None, 0)
    worded = await rig.run(exiting("sys.exit('because')"))
    assert (worded.error["exit_code"], worded.stderr) == (1, b"because\n")


async def test_a_signal_is_told(rig: Rig) -> None:
    ran = await rig.run("import os, signal\ndef main(): os.kill(os.getpid(), signal.SIGSEGV)")
    assert (ran.exit.exit_code, ran.exit.signal, ran.exit.cause) == (None, 11, None)


async def test_exit_and_signal_of_a_command_are_told(rig: Rig) -> None:
    exited = await rig.run({"x": ""}, entrypoint=Entrypoint("command", command=("sh", "-c", "exit 7")))
    assert (exited.error["kind"], exited.error["exit_code"], exited.exit.exit_code) == ("exit", 7, 7)
    killed = await rig.run({"x": ""}, entrypoint=Entrypoint("command", command=("sh", "-c", "kill -9 $$")))
    assert (killed.error["kind"], killed.error["signal"]) == ("signal", "SIGKILL")
    absent = await rig.run({"x": ""}, entrypoint=Entrypoint("command", command=("no-such-program",)))
    assert "cannot start no-such-program" in str(absent.error["message"])


async def test_output_arrives_while_the_agent_runs(rig: Rig) -> None:
    source = """
        import threading
        def main():
            print("first")
            threading.Event().wait()
        """
    sandbox = await rig.executor.start(rig.spec(source))
    assert await line(sandbox) == "first"
    await sandbox.stop(StopCause.CANCELLED)
    await finish(sandbox)


async def test_any_bytes_pass_on_both_streams(rig: Rig) -> None:
    source = r"""
        import sys
        def main():
            sys.stdout.buffer.write(b"\xff\x00\xfe" * 100_000)
            sys.stderr.buffer.write(b"err\xff")
        """
    ran = await rig.run(source)
    assert ran.stdout == b"\xff\x00\xfe" * 100_000
    assert ran.stderr == b"err\xff"


async def test_a_run_with_gpus_is_told_which_are_its_own(rig: Rig) -> None:
    source = """
        import os
        def main(): return [os.environ["CUDA_VISIBLE_DEVICES"], os.environ["NVIDIA_VISIBLE_DEVICES"]]
        """
    spec = dataclasses.replace(rig.spec(source, env={"CUDA_VISIBLE_DEVICES": "7"}), gpus=(1, 3))
    if rig.level is Level.DOCKER:  # an engine on a machine without GPUs knows their driver as little
        with pytest.raises(SandboxError, match="nvidia") as refused:
            await rig.executor.start(spec)
        assert "container toolkit" in refused.value.hint
        return
    assert (await finish(await rig.executor.start(spec))).result == ["1,3", "1,3"]

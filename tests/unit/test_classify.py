import pytest

from ao.domain.agent_config import AgentConfig
from ao.domain.outcome import OutcomeKind
from ao.sandbox import Message, SandboxExit, StopCause
from ao.worker.classify import Ending, classify
from ao.worker.resolve import time_limit

CLEAN = SandboxExit(0, None, None)


def kind_and_message(last: Message | None, exit_: SandboxExit = CLEAN) -> tuple[OutcomeKind, str]:
    outcome = classify(Ending(last, exit_), "namespaces")
    return outcome.kind, outcome.error.message if outcome.error else ""


def test_a_result_counts_whatever_became_of_the_process() -> None:
    outcome = classify(Ending({"type": "result", "value": {"a": 1}}, SandboxExit(None, 9, None)), "namespaces")
    assert (outcome.kind, outcome.output, outcome.error) == (OutcomeKind.COMPLETED, '{"a":1}', None)


def test_an_exception_keeps_its_type_and_traceback() -> None:
    said: Message = {
        "type": "error",
        "kind": "error",
        "error_type": "KeyError",
        "message": "KeyError: 'q'",
        "traceback": "Traceback …",
    }
    error = classify(Ending(said, CLEAN), "namespaces").error
    assert error is not None
    assert (error.type, error.message, error.traceback) == ("KeyError", "KeyError: 'q'", "Traceback …")


def test_a_permanent_error_and_a_wish_for_a_delay_are_passed_on() -> None:
    said: Message = {"type": "error", "kind": "error", "message": "no", "permanent": True, "retry_after": 7}
    outcome = classify(Ending(said, CLEAN), "namespaces")
    assert (outcome.permanent, outcome.retry_after_seconds) == (True, 7.0)


@pytest.mark.parametrize(
    ("exit_", "kind", "message"),
    [
        (SandboxExit(3, None, None), OutcomeKind.EXIT, "the process exited with status 3 and gave no result"),
        (SandboxExit(None, 11, None), OutcomeKind.SIGNAL, "the process was ended by SIGSEGV"),
        (
            SandboxExit(None, 9, StopCause.OUT_OF_MEMORY, "1.1 GiB"),
            OutcomeKind.OUT_OF_MEMORY,
            "out of memory: 1.1 GiB",
        ),
        (
            SandboxExit(None, 9, StopCause.TIMEOUT),
            OutcomeKind.TIMEOUT,
            "the attempt took longer than its timeout",
        ),
        (SandboxExit(None, 9, StopCause.CANCELLED), OutcomeKind.CANCELLED, "cancelled while it was running"),
        (
            SandboxExit(None, 9, StopCause.LEASE),
            OutcomeKind.LOST,
            "the worker lost its lease while the run was executing",
        ),
    ],
)
def test_silent_ends_are_told_apart_in_words(exit_: SandboxExit, kind: OutcomeKind, message: str) -> None:
    found, text = kind_and_message(None, exit_)
    assert found is kind
    assert message in text


def test_what_ao_did_explains_more_than_what_the_agent_said_of_it() -> None:
    said: Message = {"type": "error", "kind": "signal", "message": "child ended by SIGKILL"}
    assert kind_and_message(said, SandboxExit(1, None, StopCause.OUT_OF_MEMORY))[0] is OutcomeKind.OUT_OF_MEMORY


def test_every_stop_cause_has_an_outcome() -> None:
    for cause in StopCause:
        assert kind_and_message(None, SandboxExit(None, 9, cause))[1]


def test_the_step_that_was_not_over_is_named_unless_nothing_of_the_agent_ended_it() -> None:
    for cause, step in (
        (None, "a/b"),
        (StopCause.OUT_OF_MEMORY, "a/b"),
        (StopCause.LEASE, ""),
        (StopCause.CANCELLED, ""),
    ):
        error = classify(Ending(None, SandboxExit(None, 9, cause), step="a/b"), "").error
        assert error is not None
        assert error.step == step
    said: Message = {"type": "error", "kind": "error", "message": "outside of steps"}
    error = classify(Ending(said, CLEAN, step="a/b"), "").error
    assert error is not None
    assert error.step == ""


def test_a_dead_supervisor_makes_the_attempt_lost() -> None:
    outcome = classify(Ending(None, SandboxExit(None, 9, StopCause.LOST)), "namespaces")
    assert outcome.kind is OutcomeKind.LOST


def test_the_run_timeout_counts_earlier_attempts_and_wins_when_it_is_nearer() -> None:
    config = AgentConfig(name="a", entrypoint="a:b", timeout=60, run_timeout=100)
    assert time_limit(config, 0) == (60, StopCause.TIMEOUT)
    assert time_limit(config, 70_000_000) == (30, StopCause.RUN_TIMEOUT)
    assert time_limit(config, 200_000_000) == (0, StopCause.RUN_TIMEOUT)


def test_what_a_hostile_agent_says_on_its_socket_can_be_stored() -> None:
    value = {"\ud800": [float("nan"), float("inf"), "a\ud800", "\ud83d\ude00", 1, True, None]}
    outcome = classify(Ending({"type": "result", "value": value}, SandboxExit(0, None, None)), "")
    assert outcome.output == '{"\ufffd":[null,null,"a\ufffd","\U0001f600",1,true,null]}'
    said: Message = {
        "type": "error", "message": "\ud800" * 9_999, "error_type": "x" * 9_999, "hint": 7,
        "exit_code": 1 << 80,
        "signal": ["no"],
        "retry_after": float("inf"),
    }  # fmt: skip
    outcome = classify(Ending(said, SandboxExit(1, None, None)), "")
    assert outcome.error is not None
    assert (outcome.error.exit_code, outcome.retry_after_seconds) == (None, 30 * 86_400.0)
    assert len(repr(outcome).encode()) < 20_000


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (5, 5.0),
        (-3, 0.0),
        (float("nan"), None),
        (True, None),
        ("5", None),
        (None, None),
        (10**309, 2_592_000.0),
    ],
)
def test_the_delay_that_an_agent_asks_for_is_kept_in_bounds(asked: object, seconds: float | None) -> None:
    said: Message = {"type": "error", "message": "busy", "retry_after": asked}
    assert classify(Ending(said, SandboxExit(1, None, None)), "").retry_after_seconds == seconds

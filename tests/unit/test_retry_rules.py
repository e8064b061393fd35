"""What `[retries]` in ao.toml calls permanent, and what stays worth another try."""

import json
from typing import Any

import pytest

from ao.domain.agent_config import Retries
from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy, check_rule, is_class
from ao.domain.run import Reason, RunHead, RunState, Transition, after_attempt
from ao_runner import Permanent, Retry, StepDiverged
from ao_runner.verdicts import permanent_by

RUNNING = RunHead(RunState.RUNNING, 1, 1, 0, 0, False, 0, 0)


def policy(**rules: Any) -> RetryPolicy:
    return Retries.model_validate({"jitter": False, **rules}).policy()


def after(error: ErrorInfo, policy: RetryPolicy) -> Transition:
    outcome = AttemptOutcome(error.kind, error=error)
    return after_attempt(RUNNING, outcome, policy, 0, "worker:w", random=0.0)


def exited(code: int) -> ErrorInfo:
    return ErrorInfo(OutcomeKind.EXIT, "boom", exit_code=code)


def test_an_exit_status_that_is_permanent_is_not_tried_again_and_says_which_rule_it_was() -> None:
    rules = policy(permanent=["exit:2"])
    assert after(exited(1), rules).to is RunState.PENDING
    ended = after(exited(2), rules)
    assert (ended.to, ended.reason) == (RunState.FAILED, Reason.PERMANENT_ERROR)
    assert ended.error is not None
    assert ended.error.hint == "not tried again: `[retries] permanent` has exit:2"


def test_the_narrower_rule_of_an_ending_decides() -> None:
    rules = policy(permanent=["exit", "signal:SIGSEGV"], transient=["exit:75"])
    assert after(exited(75), rules).to is RunState.PENDING
    assert after(exited(1), rules).to is RunState.FAILED
    for name, state in (("SIGSEGV", RunState.FAILED), ("SIGKILL", RunState.PENDING)):
        assert after(ErrorInfo(OutcomeKind.SIGNAL, "boom", signal=name), rules).to is state


@pytest.mark.parametrize("kind", [OutcomeKind.TIMEOUT, OutcomeKind.OUT_OF_MEMORY, OutcomeKind.LIMIT])
def test_limits_are_retried_unless_they_are_permanent(kind: OutcomeKind) -> None:
    assert after(ErrorInfo(kind, "boom"), policy()).to is RunState.PENDING
    assert after(ErrorInfo(kind, "boom"), policy(permanent=[str(kind)])).to is RunState.FAILED


def test_an_exception_that_is_named_like_an_ending_is_left_to_its_class() -> None:
    assert (
        after(ErrorInfo(OutcomeKind.ERROR, "boom"), policy(permanent=["exit", "timeout"])).to
        is RunState.PENDING
    )


class Refused(ValueError):
    class Inner(Exception):
        pass


def broken_json() -> Exception:
    try:
        json.loads("{")
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "permanent", "transient", "expected"),
    [
        (ValueError(), ["ValueError"], [], "ValueError"),
        (ValueError(), ["builtins.ValueError"], [], "builtins.ValueError"),
        (Refused(), ["ValueError"], [], "ValueError"),
        (Refused(), [f"{__name__}.Refused"], [], f"{__name__}.Refused"),
        (Refused.Inner(), ["Refused.Inner"], [], "Refused.Inner"),
        (Refused.Inner(), ["Inner"], [], ""),
        (KeyError(), ["ValueError"], [], ""),
        (broken_json(), ["ValueError"], ["json.decoder.JSONDecodeError"], ""),
        (broken_json(), ["ValueError"], ["json.JSONDecodeError"], ""),
        (broken_json(), ["decoder.JSONDecodeError"], [], ""),
        (broken_json(), ["JSONDecodeError"], ["ValueError"], "JSONDecodeError"),
        (FileNotFoundError(), ["FileNotFoundError"], ["OSError"], "FileNotFoundError"),
        (ConnectionResetError(), ["Exception"], ["ConnectionError"], ""),
        (KeyError(), ["Exception"], ["ConnectionError"], "Exception"),
        (Retry(), ["Exception"], [], ""),
        (Permanent(), [], ["Permanent"], "ao_runner.Permanent"),
        (StepDiverged(), [], ["Exception"], "ao_runner.Permanent"),
    ],
)
def test_the_nearest_class_that_has_a_rule_decides(
    error: Exception, permanent: list[str], transient: list[str], expected: str
) -> None:
    assert permanent_by(error, {"permanent": permanent, "transient": transient}) == expected


@pytest.mark.parametrize(
    "rule", ["exit:2", "exit:255", "signal:SIGKILL", "exit", "limit", "a.B.C", "_x", "Überfall"]
)
def test_a_rule_is_a_class_or_an_ending(rule: str) -> None:
    assert check_rule(rule) == rule
    assert is_class(rule) == (rule in ("a.B.C", "_x", "Überfall"))


@pytest.mark.parametrize(
    "rule",
    ["", "exit:0", "exit:256", "exit:", "exit:02", "signal:9", "signal:SEGV", "a b", "a..b", "*", "3", "x:y"],
)
def test_what_is_neither_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"exit status|signal is given|neither a class"):
        check_rule(rule)

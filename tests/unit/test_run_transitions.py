from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ao.domain.outcome import AttemptOutcome, ErrorInfo, OutcomeKind
from ao.domain.retry import RetryPolicy
from ao.domain.run import (
    MAX_LOSSES,
    TABLE,
    TERMINAL,
    Reason,
    RunHead,
    RunState,
    Transition,
    after_attempt,
    cancel_waiting,
    claim,
    create,
    hand_back,
)

NOW = 1_000_000
POLICY = RetryPolicy(max_retries=3, jitter=False)
RUNNING = RunHead(
    state=RunState.RUNNING,
    fence=1,
    attempt=1,
    failures=0,
    losses=0,
    cancel_requested=False,
    active_us=0,
    attempt_started_us=0,
)


def failed(kind: OutcomeKind = OutcomeKind.ERROR, *, permanent: bool = False) -> AttemptOutcome:
    return AttemptOutcome(kind, error=ErrorInfo(kind, "boom"), permanent=permanent)


def after(head: RunHead, outcome: AttemptOutcome, policy: RetryPolicy = POLICY) -> Transition:
    return after_attempt(head, outcome, policy, NOW, "worker:w", random=0.5)


def test_three_retries_are_four_attempts_with_doubling_delays() -> None:
    head, delays = RUNNING, []
    while (step := after(head, failed())).to is RunState.PENDING:
        assert step.due_us is not None
        delays.append((step.due_us - NOW) / 1e6)
        head = replace(head, failures=head.failures + 1)
    assert delays == [1.0, 2.0, 4.0]
    assert (step.to, step.reason) == (RunState.FAILED, Reason.RETRIES_EXHAUSTED)


def test_jitter_adds_at_most_one_second() -> None:
    step = after(RUNNING, failed(), RetryPolicy(jitter=True))
    assert step.due_us == NOW + 1_500_000


def test_delays_stop_growing_at_max_delay() -> None:
    policy = RetryPolicy(max_retries=1000, max_delay=60, jitter=False)
    assert policy.delay_seconds(900, 0.9) == 60


def test_a_permanent_error_is_never_retried() -> None:
    step = after(RUNNING, failed(permanent=True))
    assert (step.to, step.reason) == (RunState.FAILED, Reason.PERMANENT_ERROR)


def test_an_agent_can_ask_for_its_own_delay() -> None:
    step = after(RUNNING, replace(failed(), retry_after_seconds=30.0))
    assert step.due_us == NOW + 30_000_000


def test_run_timeout_is_final_while_timeout_is_retried() -> None:
    assert after(RUNNING, failed(OutcomeKind.RUN_TIMEOUT)).to is RunState.FAILED
    assert after(RUNNING, failed(OutcomeKind.TIMEOUT)).to is RunState.PENDING


def test_a_lost_attempt_is_not_held_against_the_agent() -> None:
    step = after(replace(RUNNING, failures=3), failed(OutcomeKind.LOST))
    assert (step.to, step.reason, step.failed_attempt) == (RunState.PENDING, Reason.LOST, False)
    assert step.due_us is None


def test_a_run_that_takes_every_worker_down_is_failed_in_the_end() -> None:
    step = after(replace(RUNNING, losses=MAX_LOSSES - 1), failed(OutcomeKind.LOST))
    assert (step.to, step.reason) == (RunState.FAILED, Reason.TOO_MANY_LOSSES)


def test_a_cancel_wins_over_a_retry_but_not_over_a_result() -> None:
    head = replace(RUNNING, cancel_requested=True)
    assert after(head, failed()).to is RunState.CANCELLED
    assert after(head, failed(OutcomeKind.LOST)).to is RunState.CANCELLED
    done = after(head, AttemptOutcome(OutcomeKind.COMPLETED, output="1"))
    assert (done.to, done.output) == (RunState.COMPLETED, "1")


def test_a_transition_outside_the_table_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no such transition"):
        Transition(RunState.COMPLETED, RunState.PENDING, Reason.RETRY, NOW, "system")


def test_nothing_leaves_a_terminal_state() -> None:
    assert not [row for row in TABLE if row[0] in TERMINAL]


def test_simple_transitions_carry_their_actor() -> None:
    steps = [create(NOW, "a"), claim(NOW, "a"), cancel_waiting(RunState.PENDING, NOW, "a"), hand_back(NOW, "a")]
    assert {step.actor for step in steps} == {"a"}


@given(
    kind=st.sampled_from(OutcomeKind),
    failures=st.integers(0, 10),
    losses=st.integers(0, MAX_LOSSES),
    cancel=st.booleans(),
    permanent=st.booleans(),
    random=st.floats(0, 1, exclude_max=True),
)
def test_every_end_of_an_attempt_leads_to_a_row_of_the_table(
    kind: OutcomeKind, failures: int, losses: int, cancel: bool, permanent: bool, random: float
) -> None:
    head = replace(RUNNING, failures=failures, losses=losses, cancel_requested=cancel)
    error = None if kind is OutcomeKind.COMPLETED else ErrorInfo(kind, "boom")
    outcome = AttemptOutcome(kind, error=error, permanent=permanent)
    step = after_attempt(head, outcome, RetryPolicy(), NOW, "worker:w", random)
    assert (step.frm, step.to, step.reason) in TABLE
    assert (step.due_us is not None) == (step.reason is Reason.RETRY)

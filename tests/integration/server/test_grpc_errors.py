"""What the gRPC door refuses, and how it says so."""

import inspect
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from tests.rpc import Rpc, rpc_served
from tests.served import ECHO, FUNCTION

from ao.domain import errors
from ao.domain.errors import AoError, Problem, QueueFull, Unavailable
from ao.server.app import JSON_LIMIT
from ao.v1 import dead_letters_pb2, questions_pb2
from ao.v1 import runs_pb2 as pb
from ao.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from ao.v1.questions_pb2_grpc import QuestionServiceStub
from ao.wire.problems import STATUS

CODE = grpc.StatusCode
CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, AoError)]
NOBODY = "01936f2e-9c4b-7d3a-8f00-0123456789ab"


@pytest.fixture
async def rpc(tmp_path: Path) -> AsyncIterator[Rpc]:
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        yield rpc


async def test_every_class_of_error_leaves_with_its_code_and_all_that_it_says(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in CLASSES:
        error = kind("what", hint="do", details={"n": [1]}, problems=[Problem("a.b", "wrong", "write c", 3)])

        async def fails(_run_id: str, error: AoError = error) -> None:
            raise error

        monkeypatch.setattr(rpc.api.services.runs, "get", fails)
        refusal = await rpc.refused(rpc.runs.GetRun(pb.GetRunRequest(run_id=NOBODY), metadata=rpc.key))
        assert refusal.code is grpc.StatusCode[STATUS[kind].grpc], kind
        assert refusal.message == "what"
        problem = refusal.problem
        assert (problem.code, problem.detail, problem.hint) == (kind.code, "what", "do")
        assert (problem.details_json, problem.request_id) == ('{"n":[1]}', refusal.request_id)
        (found,) = problem.problems
        assert (found.field, found.message, found.hint, found.line) == ("a.b", "wrong", "write c", 3)
        (violation,) = BadRequest.FromString(refusal.details["google.rpc.BadRequest"]).field_violations
        assert (violation.field, violation.description) == ("a.b", "wrong")
        assert ("google.rpc.RetryInfo" in refusal.details) == issubclass(kind, Unavailable)


async def test_a_full_queue_says_when_to_try_again(rpc: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise QueueFull("full", details={"retry_after_seconds": 5})

    monkeypatch.setattr(rpc.api.services.runs, "accept", full)
    refusal = await rpc.refused(rpc.runs.CreateRun(pb.CreateRunRequest(agent="a"), metadata=rpc.key))
    assert refusal.code is CODE.RESOURCE_EXHAUSTED
    assert RetryInfo.FromString(refusal.details["google.rpc.RetryInfo"]).retry_delay.seconds == 5


async def test_a_defect_has_an_id_to_look_for_and_tells_nothing_else(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(rpc.api.services.runs, "get", broken)
    refusal = await rpc.refused(rpc.runs.GetRun(pb.GetRunRequest(run_id=NOBODY), metadata=rpc.key))
    assert (refusal.code, refusal.problem.code) == (CODE.INTERNAL, "internal")
    assert refusal.request_id
    assert refusal.request_id in refusal.problem.hint
    assert "secret detail" not in str(refusal.problem)
    logged = capsys.readouterr().err
    assert logged.count("ZeroDivisionError: secret detail") == 1


async def test_an_error_of_any_size_reaches_the_client(rpc: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata is small: what does not fit is left off, and counted."""
    many = [Problem(f"field.{n}" * 40, "ü" * 4000, "x" * 4000) for n in range(500)]

    async def wrong(*_: object) -> None:
        raise errors.InvalidInput("ü\ud800" * 5000, problems=many, details={"much": "x" * 100_000})

    monkeypatch.setattr(rpc.api.services.runs, "get", wrong)
    refusal = await rpc.refused(rpc.runs.GetRun(pb.GetRunRequest(run_id=NOBODY), metadata=rpc.key))
    assert (refusal.code, refusal.problem.code) == (CODE.INVALID_ARGUMENT, "invalid_input")
    assert len(refusal.problem.problems) + refusal.problem.left_off == 500


WRONG: list[tuple[str, Any, list[str]]] = [
    ("CreateRun", pb.CreateRunRequest(), ["agent"]),
    ("CreateRun", pb.CreateRunRequest(agent="UPPER", version=0), ["agent", "version"]),
    ("CreateRun", pb.CreateRunRequest(agent="a", input_json=""), ["input_json"]),
    ("CreateRun", pb.CreateRunRequest(agent="a", input_json="{'n': NaN}"), ["input_json"]),
    ("CreateRun", pb.CreateRunRequest(agent="a", webhook=pb.WebhookTarget(url="x")), ["webhook.secret"]),
    ("CreateRun", pb.CreateRunRequest(agent="a", wait=float("nan")), ["wait"]),
    ("CreateRun", pb.CreateRunRequest(agent="a", idempotency_key=""), ["idempotency_key"]),
    ("StreamRun", pb.StreamRunRequest(agent="a", on_disconnect=7), ["on_disconnect"]),  # type: ignore[arg-type]
    ("WatchRun", pb.WatchRunRequest(run_id="", after=-1), ["after", "run_id"]),
    ("GetRun", pb.GetRunRequest(run_id="not-an-id"), ["run_id"]),
    ("ListRuns", pb.ListRunsRequest(state=[3, 99]), ["state"]),  # type: ignore[list-item]
    ("ListRuns", pb.ListRunsRequest(state=[0]), ["state"]),  # type: ignore[list-item]
    ("ListRuns", pb.ListRunsRequest(limit=0), ["limit"]),
    ("ListRuns", pb.ListRunsRequest(cursor="?"), ["cursor"]),
    ("SearchLogs", pb.SearchLogsRequest(run_id=NOBODY, since={"seconds": 1 << 60}), ["since"]),
    ("ReplayRun", pb.ReplayRunRequest(run_id=NOBODY, begin=9), ["begin"]),  # type: ignore[arg-type]
]


async def test_what_is_wrong_is_named(rpc: Rpc) -> None:
    for method, request, fields in WRONG:
        refusal = await rpc.refused(getattr(rpc.runs, method)(request, metadata=rpc.key))
        assert (refusal.code, sorted(refusal.fields)) == (CODE.INVALID_ARGUMENT, fields), f"{method} {request}"


async def test_a_field_of_a_newer_client_is_not_ignored(rpc: Rpc) -> None:
    newer = pb.CreateRunRequest.FromString(
        b"\xba\x3e\x01x" + pb.CreateRunRequest(agent="a").SerializeToString()
    )
    refusal = await rpc.refused(rpc.runs.CreateRun(newer, metadata=rpc.key))
    assert refusal.code is CODE.INVALID_ARGUMENT
    assert "unknown field number 999" in (refusal.message or "")


async def test_an_empty_list_of_dead_letters_is_not_all_of_them(rpc: Rpc) -> None:
    letters: Any = DeadLetterServiceStub(rpc.channel)
    request = dead_letters_pb2.ReplayDeadLettersRequest(agent="a")
    refusal = await rpc.refused(letters.ReplayDeadLetters(request, metadata=rpc.key))
    assert (refusal.code, refusal.fields) == (CODE.INVALID_ARGUMENT, ["runs"])
    request.all = True
    assert list((await letters.ReplayDeadLetters(request, metadata=rpc.key)).items) == []


async def test_an_answer_to_nothing_is_not_found(rpc: Rpc) -> None:
    questions: Any = QuestionServiceStub(rpc.channel)
    request = questions_pb2.AnswerQuestionRequest(run_id=NOBODY, answer_json="1")
    assert (await rpc.refused(questions.AnswerQuestion(request, metadata=rpc.key))).code is CODE.NOT_FOUND


async def test_the_same_key_with_another_request_already_exists(rpc: Rpc) -> None:
    await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
    request = pb.CreateRunRequest(agent="echo", input_json="1", idempotency_key="k")
    first = await rpc.runs.CreateRun(request, metadata=rpc.key)
    again = await rpc.runs.CreateRun(request, metadata=rpc.key)
    assert (first.created, again.created, again.run.id) == (True, False, first.run.id)
    request.input_json = "2"
    refusal = await rpc.refused(rpc.runs.CreateRun(request, metadata=rpc.key))
    assert (refusal.code, refusal.problem.code) == (CODE.ALREADY_EXISTS, "idempotency_conflict")


async def test_a_message_above_the_limit_is_refused_and_the_server_goes_on(rpc: Rpc) -> None:
    await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
    huge = pb.CreateRunRequest(agent="echo", input_json='"' + "x" * (JSON_LIMIT + 1) + '"')
    refusal = await rpc.refused(rpc.runs.CreateRun(huge, metadata=rpc.key))
    assert refusal.code is CODE.RESOURCE_EXHAUSTED
    large = pb.CreateRunRequest(agent="echo", input_json='"' + "x" * (3 << 20) + '"')
    made = await rpc.runs.CreateRun(large, metadata=rpc.key)
    assert made.run.input_json == large.input_json


async def test_json_comes_back_as_it_was_sent(rpc: Rpc) -> None:
    await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
    for value in ('{"n":9007199254740993}', "[1e-7,1.5]", '"\\u00fc"', "null", str(10**30)):
        request = pb.CreateRunRequest(agent="echo", input_json=value)
        made = await rpc.runs.CreateRun(request, metadata=rpc.key)
        assert json.loads(made.run.input_json or "null") == json.loads(value)

"""Who is let in at the gRPC door, for what; what answers without a key; what is noted."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.rpc import METHODS, SERVICES, Rpc, rpc_served
from tests.served import thread

from ao.domain.access import GRANTS, Role
from ao.domain.errors import Unavailable
from ao.server.grpc.listen import services_of
from ao.server.health import Readiness
from ao.server.roles import RULES, Of
from ao.store.records import Webhook
from ao.store.sql.engine import ClockOffset
from ao.store.webhooks import DeliveryFilter
from ao.testing.store_contract import Harness
from ao.v1 import runs_pb2 as pb

MINE, OTHER = "mine", "other"
_CODES = grpc.StatusCode
_EXPECTED = {
    _CODES.OK,
    _CODES.PERMISSION_DENIED,
    _CODES.INVALID_ARGUMENT,
    _CODES.NOT_FOUND,
    _CODES.FAILED_PRECONDITION,
}
_LEFT_OUT = {"version", "after", "assistant"}
"""Of runs: what an agent's name says already, or what would have to be waited for."""
NOBODY = "01936f2e-9c4b-7d3a-8f00-0123456789ab"


@pytest.fixture
async def rpc(tmp_path: Path) -> AsyncIterator[Rpc]:
    async with rpc_served(tmp_path, {"AO_WARM": "off"}) as rpc:
        yield rpc


def operation_of(rpc: Rpc) -> dict[str, str]:
    """Method → operation id."""
    services = rpc.api.services
    return {
        f"/{descriptor.full_name}/{name}": method.operation
        for descriptor, methods in services_of(services, Readiness(services))
        for name, method in methods.items()
    }


def request_of(path: str, agent: str, ids: Mapping[str, str]) -> Message:
    """A request that concerns this agent, complete enough to be admitted."""
    request: Any = GetMessageClass(METHODS[path].input_type)()
    values = {
        "agent": agent, **ids, "version": 1, "before": 1, "after": 1, "all": True, "older_than": 1e9,
        "assistant": agent, "session": "none", "step": "none", "approved": True,
        "name": "none", "cron": "0 3 * * *", "since": Timestamp(seconds=1), "dry_run": True,
        "key_id": NOBODY, "worker_id": NOBODY, "path": "none", "role": 1,
        "digest": f"sha256:{0:064}", "value": "secret",
    }  # fmt: skip
    for field in request.DESCRIPTOR.fields:
        if field.name in values and not (field.name in _LEFT_OUT and "runs" in field.file.name):
            if field.message_type is None:
                setattr(request, field.name, values[field.name])
            else:
                getattr(request, field.name).CopyFrom(values[field.name])
    return request  # type: ignore[no-any-return]


async def refused(rpc: Rpc, token: str, path: str, request: Message) -> bool:
    """Whether the key is refused. What the operation itself says of the request does not matter."""
    call = rpc.call(path, request, token, timeout=30)
    if METHODS[path].server_streaming and await _starts(call):
        return False
    code = await call.code()
    assert code in _EXPECTED, f"{path}: {code}"
    return code is grpc.StatusCode.PERMISSION_DENIED


async def _starts(call: Any) -> bool:
    """Whether a stream begins; it is not waited for its end."""
    try:
        begins = await call.read() is not grpc.aio.EOF
    except grpc.aio.AioRpcError:
        return False
    call.cancel()
    return begins


async def ended_run(rpc: Rpc, agent: str) -> str:
    """A run that has ended, so that nobody waits for it."""
    store = rpc.api.services.store
    harness = Harness(store, store, ClockOffset())
    await harness.deploy(agent)
    run = await store.runs.create(harness.new_run(agent))
    await store.runs.cancel(run.run_id, "key:test")
    return run.run_id


async def delivered_run(rpc: Rpc, agent: str) -> dict[str, str]:
    """A run that has ended and the webhook's delivery that tells so, as requests name them."""
    store = rpc.api.services.store
    harness = Harness(store, store, ClockOffset())
    await harness.deploy(agent)
    new = dataclasses.replace(harness.new_run(agent), webhook=Webhook("https://example.invalid/", "NONE"))
    run = await store.runs.create(new)
    await store.runs.cancel(run.run_id, "key:test")
    (delivery,) = await store.webhooks.list(DeliveryFilter(run_id=run.run_id), 1)
    return {"run_id": run.run_id, "delivery_id": delivery.id}


async def test_a_database_that_is_away_is_told_as_such_before_a_message_is_read(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_token: str) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(rpc.api.services.keys, "authenticate", away)
    refusal = await rpc.refused(
        rpc.call("/ao.v1.RunService/GetRun", pb.GetRunRequest(run_id=NOBODY), rpc.api.key)
    )
    assert (refusal.code, refusal.message) == (_CODES.UNAVAILABLE, "the database is away")
    assert "google.rpc.RetryInfo" in refusal.details


async def test_every_method_is_an_operation_of_the_table(rpc: Rpc) -> None:
    operations = operation_of(rpc)
    assert operations.keys() == METHODS.keys()
    assert set(operations.values()) <= set(RULES)
    assert len(set(operations.values())) == len(operations)


@pytest.mark.parametrize("role", Role)
async def test_every_method_lets_in_the_roles_of_its_row_and_no_other(rpc: Rpc, role: Role) -> None:
    """The matrix: each method × each role × a key for all agents, for this one, for another one."""
    ids = {agent: await delivered_run(rpc, agent) for agent in (MINE, OTHER)}
    everywhere, here = await rpc.api.key_of(role), await rpc.api.key_of(role, [MINE])
    for path, operation in operation_of(rpc).items():
        rule = RULES[operation]
        granted = rule.permission in GRANTS[role]
        for agent in (OTHER, MINE):
            request = request_of(path, agent, ids[agent])
            if path.endswith("/RunAndWait") and granted:
                continue  # it would wait for a worker: see the next test
            in_scope = rule.of is Of.NOTHING or (agent == MINE and rule.of is not Of.SERVER)
            names_none = rule.of is Of.LIST and "agent" not in request.DESCRIPTOR.fields_by_name
            case = f"{role} {path} {agent}"
            assert await refused(rpc, here, path, request) != (granted and (in_scope or names_none)), case
            assert await refused(rpc, everywhere, path, request) != granted, case


async def test_who_waits_for_a_run_is_held_to_its_agent(rpc: Rpc) -> None:
    await ended_run(rpc, OTHER)
    call = rpc.call("/ao.v1.RunService/RunAndWait", pb.RunAndWaitRequest(agent=OTHER), None)
    assert (await rpc.refused(call)).code is grpc.StatusCode.UNAUTHENTICATED
    here = await rpc.api.key_of(Role.OPERATOR, [MINE])
    call = rpc.call("/ao.v1.RunService/RunAndWait", pb.RunAndWaitRequest(agent=OTHER), here)
    refusal = await rpc.refused(call)
    assert (refusal.code, refusal.problem.code) == (grpc.StatusCode.PERMISSION_DENIED, "forbidden")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer ao_wrongwrongwrong"])
async def test_without_a_valid_key_nothing_is_answered(rpc: Rpc, header: str | None) -> None:
    metadata = () if header is None else (("authorization", header),)
    for path in METHODS:
        request = GetMessageClass(METHODS[path].input_type)()
        refusal = await rpc.refused(rpc.send(path, request, metadata))
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED
        assert refusal.problem.hint


async def test_who_has_no_key_is_refused_before_a_message_is_read(rpc: Rpc) -> None:
    make: Any = rpc.channel.unary_unary("/ao.v1.RunService/GetRun")
    unreadable = b"\xff"
    assert (await rpc.refused(make(unreadable))).code is grpc.StatusCode.UNAUTHENTICATED
    refusal = await rpc.refused(make(unreadable, metadata=rpc.key))
    assert (refusal.code, refusal.problem.code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_input")


async def test_a_policy_that_cancels_needs_the_permission(rpc: Rpc) -> None:
    run_id = await ended_run(rpc, MINE)
    request = pb.WatchRunRequest(run_id=run_id, on_disconnect="ON_DISCONNECT_CANCEL")
    viewer = await rpc.api.key_of(Role.VIEWER)
    refusal = await rpc.refused(rpc.call("/ao.v1.RunService/WatchRun", request, viewer))
    assert refusal.code is grpc.StatusCode.PERMISSION_DENIED


async def test_lists_show_what_the_key_is_for(rpc: Rpc) -> None:
    runs = {agent: await ended_run(rpc, agent) for agent in (MINE, OTHER)}
    here = await rpc.api.key_of(Role.VIEWER, [MINE])
    listed = await rpc.call("/ao.v1.RunService/ListRuns", pb.ListRunsRequest(), here)
    assert [run.id for run in listed.items] == [runs[MINE]]
    assert len((await rpc.runs.ListRuns(pb.ListRunsRequest(), metadata=rpc.key)).items) == 2


async def test_a_change_is_in_the_audit_log_with_its_origin(rpc: Rpc) -> None:
    store = rpc.api.services.store
    harness = Harness(store, store, ClockOffset())
    await harness.deploy(MINE)
    run = await store.runs.create(harness.new_run(MINE))
    metadata = (*rpc.key, ("x-request-id", "look-here"))
    call = rpc.runs.CancelRun(pb.CancelRunRequest(run_id=run.run_id), metadata=metadata)
    assert (await call).state == pb.RUN_STATE_CANCELLED
    assert dict(await call.trailing_metadata())["x-request-id"] == "look-here"
    (entry,) = (await rpc.api.json("GET", "/v1/audit?action=run.cancel"))["items"]
    assert (entry["actor"], entry["source"], entry["request_id"]) == ("key:local", "127.0.0.1", "look-here")
    assert entry["key_id"]


async def test_health_needs_no_key_and_is_that_of_the_server(rpc: Rpc) -> None:
    health: Any = HealthStub(rpc.channel)
    states = health_pb2.HealthCheckResponse
    for name in ("", "ao.v1.RunService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == states.SERVING
    refusal = await rpc.refused(health.Check(health_pb2.HealthCheckRequest(service="no.such.Service")))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    watched = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watched.read()).status == states.SERVING
    rpc.api.services.closing.close()
    assert (await watched.read()).status == states.NOT_SERVING
    assert await watched.read() is grpc.aio.EOF
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == states.NOT_SERVING


async def test_reflection_alone_is_enough_for_a_client(rpc: Rpc) -> None:
    """No `.proto`, no generated module: descriptors come from the server, for who has a key."""

    def by_reflection() -> tuple[list[str], Any]:
        with grpc.insecure_channel(rpc.listener.address) as plain:
            channel = grpc.intercept_channel(plain, _WithKey(rpc.key))
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            method = pool.FindServiceByName("ao.v1.RunService").FindMethodByName("ListRuns")
            ask, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
            list_runs: Any = channel.unary_unary(
                "/ao.v1.RunService/ListRuns",
                request_serializer=lambda m: m.SerializeToString(),
                response_deserializer=answer.FromString,
            )
            return list(database.get_services()), list_runs(ask(limit=7))

    await ended_run(rpc, MINE)
    services, runs = await thread(by_reflection)
    assert {service.full_name for service in SERVICES} < set(services)
    assert [run.agent for run in runs.items] == [MINE]


async def test_reflection_needs_a_key(rpc: Rpc) -> None:
    def services() -> None:
        with grpc.insecure_channel(rpc.listener.address) as channel:
            list(ProtoReflectionDescriptorDatabase(channel).get_services())

    with pytest.raises(grpc.RpcError) as refused:
        await thread(services)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


class _WithKey(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    def __init__(self, metadata: Any) -> None:
        self._metadata = metadata

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), request)

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), requests)

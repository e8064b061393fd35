"""Over gRPC: keys, the audit log, secrets and garbage; archives that go in and files that come out."""

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from tests.rpc import Rpc, rpc_served
from tests.served import ECHO, FUNCTION, until

from ao.project.packing import pack
from ao.v1 import access_pb2, agents_pb2, runs_pb2, secrets_pb2, server_pb2, sessions_pb2
from ao.v1.access_pb2_grpc import AccessServiceStub
from ao.v1.agents_pb2_grpc import AgentServiceStub
from ao.v1.secrets_pb2_grpc import SecretServiceStub
from ao.v1.server_pb2_grpc import ServerServiceStub
from ao.v1.sessions_pb2_grpc import SessionServiceStub

CHUNK = 10_000
_CODES = grpc.StatusCode


@pytest.fixture
async def rpc(tmp_path: Path) -> AsyncIterator[Rpc]:
    async with rpc_served(tmp_path, {"AO_WARM": "off", "AO_MAX_UPLOAD": "1M"}) as rpc:
        yield rpc


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def parts(first: Any, content: bytes) -> Iterator[Message]:
    """The messages of an upload."""
    kind = type(first)
    first.data = content[:CHUNK]
    yield first
    for start in range(CHUNK, len(content), CHUNK):
        yield kind(data=content[start : start + CHUNK])


def uploads_left(rpc: Rpc) -> list[Path]:
    return list(rpc.api.services.uploads.iterdir())


async def test_keys_are_made_used_listed_and_revoked(rpc: Rpc) -> None:
    access: Any = AccessServiceStub(rpc.channel)
    wanted = access_pb2.CreateKeyRequest(name="ci", role=access_pb2.ROLE_VIEWER, agents=["echo"])
    made = await access.CreateKey(wanted, metadata=rpc.key)
    assert (made.key.role, list(made.key.agents)) == (access_pb2.ROLE_VIEWER, ["echo"])
    metadata = (("authorization", f"Bearer {made.secret}"),)
    assert list((await rpc.runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=metadata)).items) == []
    keys = (await access.ListKeys(access_pb2.ListKeysRequest(), metadata=rpc.key)).items
    assert "ci" in [key.name for key in keys]
    revoked = await access.RevokeKey(access_pb2.RevokeKeyRequest(key_id=made.key.id), metadata=rpc.key)
    assert revoked.HasField("revoked_at")

    async def refused() -> bool:
        code = await rpc.runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=metadata).code()
        return code is _CODES.UNAUTHENTICATED

    await until(refused)  # within seconds

    asked = access_pb2.ListAuditRequest(action="key.", target=f"key:{made.key.id}", limit=1)
    page = await access.ListAudit(asked, metadata=rpc.key)
    asked.cursor = page.next
    rest = await access.ListAudit(asked, metadata=rpc.key)
    assert [entry.action for entry in (*page.items, *rest.items)] == ["key.revoke", "key.create"]
    refusal = await rpc.refused(access.CreateKey(access_pb2.CreateKeyRequest(name="x"), metadata=rpc.key))
    assert refusal.fields == ["role"]


async def test_secrets_go_in_and_never_come_out(rpc: Rpc) -> None:
    secrets: Any = SecretServiceStub(rpc.channel)
    wanted = secrets_pb2.SetSecretRequest(name="TOKEN", agent="echo", value="hunter2")
    made = await secrets.SetSecret(wanted, metadata=rpc.key)
    assert (made.name, made.agent, made.version) == ("TOKEN", "echo", 1)
    listed = (await secrets.ListSecrets(secrets_pb2.ListSecretsRequest(), metadata=rpc.key)).items
    assert [each.name for each in listed] == ["TOKEN"]
    assert "hunter2" not in str(listed)
    named = secrets_pb2.DeleteSecretRequest(name="TOKEN", agent="echo")
    await secrets.DeleteSecret(named, metadata=rpc.key)
    assert (await rpc.refused(secrets.DeleteSecret(named, metadata=rpc.key))).code is _CODES.NOT_FOUND


async def test_garbage_is_counted_and_removed(rpc: Rpc) -> None:
    server: Any = ServerServiceStub(rpc.channel)
    answer = await server.CollectGarbage(server_pb2.CollectGarbageRequest(dry_run=True), metadata=rpc.key)
    assert (answer.dry_run, answer.releases) == (True, 0)


async def test_a_project_is_deployed_in_parts(rpc: Rpc, tmp_path: Path) -> None:
    agents: Any = AgentServiceStub(rpc.channel)
    project = tmp_path / "echo"
    project.mkdir()
    (project / "ao.toml").write_text(f'name = "echo"\n{FUNCTION}\n')
    for name, text in {**ECHO, "large.txt": "0123456789" * 5_000}.items():
        (project / name).write_text(text)
    pack(project, tmp_path / "echo.tar")
    archive = (tmp_path / "echo.tar").read_bytes()
    wanted = agents_pb2.CreateDeploymentRequest(agent="echo", digest=digest_of(archive), message="first")
    made = await agents.CreateDeployment(parts(wanted, archive), metadata=rpc.key)
    assert (made.version, made.status, made.message) == (1, agents_pb2.DEPLOYMENT_STATUS_BUILDING, "first")
    watch = agents_pb2.WatchBuildRequest(agent="echo", version=1)
    updates = [update async for update in agents.WatchBuild(watch, metadata=rpc.key)]
    assert updates[-1].deployment.status == agents_pb2.DEPLOYMENT_STATUS_SUCCEEDED, updates
    assert uploads_left(rpc) == []


async def test_uploads_that_are_cut_changed_too_large_or_confused_are_refused(rpc: Rpc) -> None:
    agents: Any = AgentServiceStub(rpc.channel)
    kind, body = agents_pb2.CreateDeploymentRequest, bytes(30_000)

    async def refused(messages: Iterator[Message]) -> Any:
        return await rpc.refused(agents.CreateDeployment(messages, metadata=rpc.key))

    named: dict[str, Any] = {"agent": "echo", "digest": digest_of(body)}
    refusal = await refused(parts(kind(**named), body[:-1]))
    assert refusal.problem.code == "upload_refused"
    refusal = await refused(parts(kind(agent="echo", digest="md5:1"), body))
    assert refusal.fields == ["digest"]
    refusal = await refused(iter(()))
    assert {"agent", "digest"} <= set(refusal.fields)
    refusal = await refused(iter([kind(**named), kind(agent="other", data=body)]))
    assert refusal.fields == ["agent"]
    large = bytes((1 << 20) + 1)
    refusal = await refused(parts(kind(agent="echo", digest=digest_of(large)), large))
    assert (refusal.code, "at most 1,048,576 bytes" in refusal.message) == (_CODES.INVALID_ARGUMENT, True)
    assert uploads_left(rpc) == []


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(rpc: Rpc) -> None:
    agents: Any = AgentServiceStub(rpc.channel)
    call = agents.CreateDeployment(metadata=rpc.key)
    await call.write(agents_pb2.CreateDeploymentRequest(agent="echo", digest=digest_of(b""), data=b"some"))

    async def there() -> bool:
        return bool(uploads_left(rpc))

    async def gone() -> bool:
        return not uploads_left(rpc)

    await until(there)
    call.cancel()
    await until(gone)


async def test_the_end_of_the_server_ends_an_upload(rpc: Rpc) -> None:
    agents: Any = AgentServiceStub(rpc.channel)
    call = agents.CreateDeployment(metadata=rpc.key)
    await call.write(agents_pb2.CreateDeploymentRequest(agent="echo", digest=digest_of(b""), data=b"some"))

    async def there() -> bool:
        return bool(uploads_left(rpc))

    await until(there)
    rpc.api.services.closing.close()
    assert (await rpc.refused(call)).code is _CODES.UNAVAILABLE
    assert uploads_left(rpc) == []


async def test_files_of_a_workspace_go_in_and_come_out(rpc: Rpc) -> None:
    await rpc.api.local.deploy("echo", ECHO, toml=FUNCTION)
    sessions: Any = SessionServiceStub(rpc.channel)
    named: dict[str, Any] = {"agent": "echo", "session": "s"}
    await sessions.CreateSession(sessions_pb2.CreateSessionRequest(agent="echo", id="s"), metadata=rpc.key)
    content = b"0123456789" * 50_000
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in (("large", content), ("empty", b"")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    archive = packed.getvalue()
    wanted = sessions_pb2.ReplaceWorkspaceRequest(**named, digest=digest_of(archive), version=1)
    replaced = await sessions.ReplaceWorkspace(parts(wanted, archive), metadata=rpc.key)
    assert (replaced.version, replaced.workspace.files) == (2, 2)
    listed = await sessions.GetWorkspace(sessions_pb2.GetWorkspaceRequest(**named), metadata=rpc.key)
    assert {entry.path: entry.size for entry in listed.entries} == {"large": len(content), "empty": 0}

    async def content_of(call: Any) -> bytes:
        return b"".join([part.data async for part in call])

    for path, data in (("large", content), ("empty", b"")):
        request = sessions_pb2.GetWorkspaceFileRequest(**named, path=path)
        assert await content_of(sessions.GetWorkspaceFile(request, metadata=rpc.key)) == data
    whole = sessions_pb2.GetWorkspaceArchiveRequest(**named)
    out = await content_of(sessions.GetWorkspaceArchive(whole, metadata=rpc.key))
    assert out == (await rpc.api.http.get("/v1/sessions/echo/s/workspace/archive")).content
    request = sessions_pb2.GetWorkspaceFileRequest(**named, path="none")
    assert (await rpc.refused(sessions.GetWorkspaceFile(request, metadata=rpc.key))).code is _CODES.NOT_FOUND
    stale = sessions_pb2.ReplaceWorkspaceRequest(**named, digest=digest_of(archive), version=1)
    refusal = await rpc.refused(sessions.ReplaceWorkspace(parts(stale, archive), metadata=rpc.key))
    assert refusal.code is _CODES.FAILED_PRECONDITION

"""What a claim and a configuration become; the rest of the resolver is tested with real runs."""

from ao.domain.agent_config import AgentConfig
from ao.ids import DeploymentId, Digest, RunId
from ao.sandbox import Entrypoint, Network
from ao.store.records import Claim, Payload
from ao.worker.resolve import MAX_LAST_ERROR, context_of, entrypoint_of, limits_of, network_of, release_of


def claim(last_error: str | None) -> Claim:
    return Claim(
        run_id=RunId("r"), agent="a", environment="prod", fence=3, attempt=2, input=Payload("null"),
        last_error=last_error, deployment_id=DeploymentId("d"), version=7, digest=Digest("sha256:0"),
        config="{}", env_key="k", active_us=0, created_us=0,
    )  # fmt: skip


def test_the_last_error_is_always_something_that_an_environment_takes() -> None:
    text = context_of(claim("a\0b \ud800 " + "x" * 100_000))["AO_LAST_ERROR"]
    assert text.startswith("a\ufffdb ")
    assert len(text) == MAX_LAST_ERROR
    text.encode()
    assert "AO_LAST_ERROR" not in context_of(claim(None))
    assert release_of(claim(None))["AO_VERSION"] == "7"


def test_entrypoints_are_told_apart() -> None:
    assert entrypoint_of(AgentConfig(name="a", entrypoint="m:f")) == Entrypoint("function", "m:f")
    assert entrypoint_of(AgentConfig(name="a", entrypoint="m.py")) == Entrypoint("script", "m.py")
    assert entrypoint_of(AgentConfig(name="a", command=["sh", "x"])) == Entrypoint(
        "command", command=("sh", "x")
    )


def test_limits_and_network_come_from_the_configuration() -> None:
    config = AgentConfig.model_validate(
        {"name": "a", "entrypoint": "m:f", "resources": {"memory": "64M", "pids": 9}, "sandbox": {"tmp": "1M"}}
    )
    limits = limits_of(config)
    assert (limits.memory_bytes, limits.processes, limits.tmp_bytes) == (64 << 20, 9, 1 << 20)
    assert network_of(config) == Network("models")
    hosts = AgentConfig.model_validate(
        {"name": "a", "entrypoint": "m:f", "sandbox": {"network": ["example.com"]}}
    )
    assert network_of(hosts) == Network("hosts", ("example.com",))

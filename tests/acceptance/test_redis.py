"""`ao up` with a Redis beside it, which goes away: nothing is lost, and both are told."""

import json
import urllib.request
from collections.abc import Callable

from tests.acceptance.command import Ao, platform_up
from tests.acceptance.projects import project
from tests.platform import until

from ao.testing.redis import RedisServer


def redis_check(ao: Ao) -> tuple[str, str]:
    """Status and message of the server's check of Redis, as `ao doctor` has them."""
    checks = {check["name"]: check for check in ao.ok("doctor", "--json").json["checks"]}
    return checks["redis"]["status"], checks["redis"]["message"]


def test_runs_go_on_when_redis_is_killed_and_hints_travel_when_it_is_back(
    alone: Ao, own_redis: RedisServer
) -> None:
    platform = platform_up(alone, AO_REDIS_URL=own_redis.url)
    try:
        alone.ok("deploy", str(project(alone.cwd / "echo", "echo")))
        assert alone.ok("run", "echo", "--wait", "--json").json["state"] == "completed"
        assert redis_check(alone) == ("ok", f"hints travel through {own_redis.socket}")

        running = alone.ok("run", "echo", "-i", '{"wait": 1}').out.strip()
        own_redis.kill()
        assert alone.ok("run", "echo", "--wait", "--json").json["state"] == "completed"
        assert "completed" in alone.ok("logs", running, "-f").err + alone.ok("show", running).out
        status, message = redis_check(alone)
        assert status == "warning"
        assert "other processes find out by polling" in message
        with urllib.request.urlopen(f"{platform.facts['url']}/readyz") as answer:
            ready = json.load(answer)
        assert ready["status"] == "ready"
        assert {check["name"]: check["status"] for check in ready["checks"]}["redis"] == "warning"

        own_redis.start()
        until(lambda: redis_check(alone)[0] == "ok", 60)
        assert alone.ok("run", "echo", "--wait", "--json").json["state"] == "completed"
    finally:
        assert platform.stop().status == 0


def test_the_password_of_redis_is_nowhere(alone: Ao, redis_with: Callable[..., RedisServer]) -> None:
    server = redis_with("--requirepass", "hunter2")
    url = f"unix://:hunter2@{server.socket}"
    platform = platform_up(alone, AO_REDIS_URL=url)
    try:
        until(lambda: redis_check(alone)[0] == "ok", 60)
        told = alone("doctor", AO_REDIS_URL=url)
        server.kill()
        again = alone("doctor", AO_REDIS_URL=url)
    finally:
        stopped = platform.stop()
    for text in (told.out, told.err, again.out, again.err, stopped.out, stopped.err):
        assert "hunter2" not in text
    assert "redis lost" in stopped.err


def test_a_mistaken_url_names_the_field_and_not_its_value(alone: Ao) -> None:
    wrong = alone("up", AO_REDIS_URL="http://:hunter2@localhost")
    assert wrong.status == 5
    assert "AO_REDIS_URL its value is not redis://host:port" in wrong.err
    assert "hunter2" not in wrong.err

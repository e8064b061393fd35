"""Webhooks, heard by a real receiver and verified by the library of the specification."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.platform import Up
from tests.platform import until as until_now
from tests.receiver import Receiver, receiver
from tests.served import ECHO, FUNCTION, Served, served, until

import ao
from ao.control.outbound import NotSent, Outbound
from ao.domain import webhook
from ao.domain.access import Role

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "0.0.0.0")
BROKEN = {"agent.py": "def work(task): raise ValueError('no luck')"}


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as hook:
        yield hook


@pytest.fixture
async def api(tmp_path: Path, hook: Receiver) -> AsyncIterator[Served]:
    async with served(tmp_path, {"AO_WEBHOOK_HOSTS": hook.host}, worker=True) as api:
        await api.local.deploy("echo", ECHO, toml=FUNCTION)
        await api.services.secrets.set(None, "SIGNING", SECRET, "key:test")
        yield api


def body(hook: Receiver, agent: str = "echo", **more: object) -> dict[str, object]:
    return {"agent": agent, "webhook": {"url": hook.url, "secret": "SIGNING"}, **more}


async def the_delivery(api: Served, state: str) -> Any:
    """The only delivery, when it is in this state, with its tries."""

    async def reached() -> bool:
        items = (await api.json("GET", f"/v1/webhooks?state={state}"))["items"]
        return len(items) == 1

    await until(reached, 60)
    (item,) = (await api.json("GET", "/v1/webhooks"))["items"]
    return await api.json("GET", f"/v1/webhooks/{item['id']}")


async def test_the_end_of_a_run_is_told_signed_and_once(api: Served, hook: Receiver) -> None:
    run = await api.json("POST", "/v1/runs/wait", body(hook, input={"n": 1}), timeout=60)
    delivery = await the_delivery(api, "delivered")
    ((headers, sent),) = hook.got
    event = Webhook(SECRET).verify(sent, headers)
    assert (event["type"], event["data"]["id"], event["data"]["output"]) == (
        "run.completed",
        run["id"],
        {"n": 1},
    )
    assert headers["webhook-id"] == delivery["id"]
    assert headers["content-type"] == "application/json"
    assert (delivery["run_id"], delivery["tries"]) == (run["id"], 1)
    assert [tried["status"] for tried in delivery["attempts"]] == [204]
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(sent, headers)


async def test_failures_and_cancels_are_told_too(api: Served, hook: Receiver) -> None:
    await api.local.deploy("broken", BROKEN, toml=f"{FUNCTION}\nretries = 0")
    await api.json("POST", "/v1/runs/wait", body(hook, "broken"), timeout=60)
    await the_delivery(api, "delivered")
    event = json.loads(hook.got[0][1])
    assert (event["type"], event["data"]["error"]) == ("run.failed", "ValueError: no luck")


async def test_a_receiver_that_is_down_hears_it_later_with_the_same_id(
    api: Served, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "DELAYS_SECONDS", (0.01, 0.01, 0.01))
    hook.answers = [500, 503]
    await api.json("POST", "/v1/runs/wait", body(hook), timeout=60)
    delivery = await the_delivery(api, "delivered")
    assert [tried["status"] for tried in delivery["attempts"]] == [500, 503, 204]
    assert len({headers["webhook-id"] for headers, _ in hook.got}) == 1
    assert len({sent for _, sent in hook.got}) == 1
    for headers, sent in hook.got:
        Webhook(SECRET).verify(sent, headers)


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_receiver_says_when_to_come_again(api: Served, hook: Receiver, form: str) -> None:
    asks = "7200" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    hook.answers, hook.headers = [503], [("retry-after", asks)]
    await api.json("POST", "/v1/runs/wait", body(hook), timeout=60)

    async def waits() -> bool:
        return bool((await the_delivery(api, "pending"))["attempts"])

    await until(waits, 30)
    delivery = await the_delivery(api, "pending")
    tried, due = (datetime.fromisoformat(at) for at in (delivery["attempts"][0]["at"], delivery["due_at"]))
    assert 6000 < (due - tried).total_seconds() < 7300


async def test_a_receiver_that_never_hears_is_given_up(
    api: Served, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "DELAYS_SECONDS", (0.01, 0.01))
    hook.answers = [500] * 3
    await api.json("POST", "/v1/runs/wait", body(hook), timeout=60)
    delivery = await the_delivery(api, "failed")
    assert (delivery["tries"], delivery["due_at"]) == (3, None)


async def test_a_receiver_that_is_gone_is_left_alone_until_a_replay(api: Served, hook: Receiver) -> None:
    hook.answers = [410]
    await api.json("POST", "/v1/runs/wait", body(hook), timeout=60)
    delivery = await the_delivery(api, "failed")
    assert delivery["tries"] == 1
    await api.json("POST", f"/v1/webhooks/{delivery['id']}/replay")
    again = await the_delivery(api, "delivered")
    assert (again["id"], [tried["status"] for tried in again["attempts"]]) == (delivery["id"], [410, 204])
    (entry,) = (await api.json("GET", "/v1/audit?action=webhook.replay"))["items"]
    assert entry["target"] == f"webhook:{delivery['id']}"


async def test_redirects_are_not_followed(api: Served, hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "DELAYS_SECONDS", (3600,))
    hook.answers = [302]
    hook.headers = [("location", hook.url)]
    await api.json("POST", "/v1/runs/wait", body(hook), timeout=60)

    async def tried() -> bool:
        return bool((await the_delivery(api, "pending"))["tries"] == 1)

    await until(tried)
    delivery = await the_delivery(api, "pending")
    assert len(hook.got) == 1
    assert delivery["due_at"] is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://a..b/",
        "ftp://example.com",
        "https://",
        "https://u:p@example.com/",
        "https://example.com/#a",
        "http://a b/",
        "x",
    ],
)
async def test_what_is_no_address_is_refused_at_once(api: Served, hook: Receiver, url: str) -> None:
    wrong = {"agent": "echo", "webhook": {"url": url, "secret": "SIGNING"}}
    problem = await api.problem("POST", "/v1/runs", wrong, status=422)
    assert problem["problems"][0]["field"] == "webhook.url"


async def test_a_secret_that_cannot_sign_is_refused_at_once(api: Served, hook: Receiver) -> None:
    wrong = {"agent": "echo", "webhook": {"url": hook.url, "secret": "MISSING"}}
    await api.problem("POST", "/v1/runs", wrong, status=404)
    await api.services.secrets.set(None, "SHORT", "whsec_c2hvcnQ=", "key:test")
    wrong = {"agent": "echo", "webhook": {"url": hook.url, "secret": "SHORT"}}
    problem = await api.problem("POST", "/v1/runs", wrong, status=422)
    assert "c2hvcnQ" not in str(problem)


async def test_a_key_of_another_agent_sees_no_deliveries(api: Served, hook: Receiver) -> None:
    await api.json("POST", "/v1/runs/wait", body(hook), timeout=60)
    delivery = await the_delivery(api, "delivered")
    headers = {"authorization": f"Bearer {await api.key_of(Role.OPERATOR, ['other'])}"}
    assert (await api.json("GET", "/v1/webhooks", headers=headers))["items"] == []
    await api.problem("GET", f"/v1/webhooks/{delivery['id']}", status=403, headers=headers)
    await api.problem("POST", f"/v1/webhooks/{delivery['id']}/replay", status=403, headers=headers)


async def test_the_same_key_with_another_webhook_is_another_request(api: Served, hook: Receiver) -> None:
    await api.json("POST", "/v1/runs", {"agent": "echo", "idempotency_key": "k"}, status=201)
    await api.problem("POST", "/v1/runs", body(hook, idempotency_key="k"), status=409)


async def test_addresses_of_this_machine_are_refused_unless_allowed(hook: Receiver) -> None:
    port = hook.host.rpartition(":")[2]
    closed = Outbound(())
    for host in PRIVATE:
        with pytest.raises(NotSent, match="not public"):
            await closed.post(f"http://{host}:{port}/", {"host": "x"}, b"")
    await closed.close()
    named = Outbound(["localhost"])
    with pytest.raises(NotSent, match="not public"):  # an entry without a port is for 80 and 443
        await named.post(hook.url.replace("127.0.0.1", "localhost"), {"host": "x", "content-length": "0"}, b"")
    await named.close()
    assert hook.got == []


async def test_a_name_is_resolved_once_and_connected_to_as_it_was_checked(
    hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers otherwise the second time gains nothing: there is no second time."""
    loop = asyncio.get_running_loop()
    asked = []
    real = loop.getaddrinfo

    async def counted(host: Any, *args: Any, **more: Any) -> Any:
        asked.append(host)
        return await real(host, *args, **more)

    monkeypatch.setattr(loop, "getaddrinfo", counted)
    port = hook.host.rpartition(":")[2]
    outbound = Outbound([f"localhost:{port}"])
    reply = await outbound.post(f"http://localhost:{port}/", {"host": "x", "content-length": "2"}, b"{}")
    await outbound.close()
    assert (reply.status, asked.count("localhost")) == (204, 1)


async def test_a_name_with_several_addresses_is_reached_at_the_one_that_answers(
    hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    port = int(hook.host.rpartition(":")[2])

    async def two(host: Any, *args: Any, **more: Any) -> Any:
        return [(2, 1, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(loop, "getaddrinfo", two)
    outbound = Outbound([f"localhost:{port}"])
    reply = await outbound.post(f"http://localhost:{port}/", {"host": "x", "content-length": "2"}, b"{}")
    await outbound.close()
    assert reply.status == 204


def test_an_end_that_was_not_told_is_told_after_kill_9(tmp_path: Path) -> None:
    """The outbox is written with the transition; a receiver that was away hears it from the next server."""
    project = tmp_path / "echo"
    project.mkdir()
    (project / "ao.toml").write_text(f'name = "echo"\n{FUNCTION}\n')
    (project / "agent.py").write_text(ECHO["agent.py"])
    with receiver() as hook:
        up = Up(tmp_path / "home", {"AO_WEBHOOK_HOSTS": hook.host})
        hook.answers = [500]
        up.start()
        try:
            with ao.Client(home=up.home) as client:
                client.deploy(project).wait()
                client.set_secret("SIGNING", SECRET)
                run = client.run("echo", webhook={"url": hook.url, "secret": "SIGNING"}).wait(60)
                until_now(lambda: len(hook.got) == 1, 60)
            up.kill()
            up.start()
            until_now(lambda: len(hook.got) == 2, 120)
            assert {Webhook(SECRET).verify(sent, headers)["data"]["id"] for headers, sent in hook.got} == {
                run.id
            }
        finally:
            up.stop()

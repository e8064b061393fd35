"""Secrets, keys, and the store as a whole."""

import asyncio
from typing import Any

import pytest

from ao.domain.errors import Conflict, NotFound, Unavailable
from ao.ids import ApiKeyId, new_api_key_id
from ao.store.records import NewApiKey, RunFilter
from ao.testing.store_contract.harness import AGENT, SECOND, Harness


class Secrets:
    async def test_setting_counts_versions(self, harness: Harness) -> None:
        first = await harness.store.secrets.set("", "TOKEN", b"\x00\xff1", "key:ops")
        second = await harness.store.secrets.set("", "TOKEN", b"2", "key:dev")
        assert (first.version, second.version, second.actor) == (1, 2, "key:dev")
        assert await harness.store.secrets.list(None) == [second]

    async def test_the_agent_s_own_wins_over_the_one_for_all(self, harness: Harness) -> None:
        await harness.store.secrets.set("", "TOKEN", b"\x00\xffall", "key:ops")
        await harness.store.secrets.set("", "OTHER", b"other", "key:ops")
        await harness.store.secrets.set(AGENT, "TOKEN", b"own", "key:ops")
        resolve = harness.store.secrets.resolve
        assert await resolve(AGENT, ["TOKEN", "OTHER", "NONE"]) == {"TOKEN": b"own", "OTHER": b"other"}
        assert await resolve("billing", ["TOKEN"]) == {"TOKEN": b"\x00\xffall"}
        assert await resolve(AGENT, []) == {}

    async def test_the_mark_tells_that_one_has_changed(self, harness: Harness) -> None:
        secrets, marks = harness.store.secrets, [await harness.replica.secrets.mark()]
        for change in (
            secrets.set("", "A", b"1", "key:ops"),
            secrets.set("", "A", b"2", "key:ops"),
            secrets.set(AGENT, "B", b"1", "key:ops"),
            secrets.delete("", "A"),
        ):
            await change
            marks.append(await harness.replica.secrets.mark())
            assert await harness.store.secrets.mark() == marks[-1]
        assert len(set(marks)) == 5

    async def test_listing_is_by_owner(self, harness: Harness) -> None:
        await harness.store.secrets.set("", "B", b"x", "key:ops")
        await harness.store.secrets.set("", "A", b"x", "key:ops")
        await harness.store.secrets.set(AGENT, "C", b"x", "key:ops")
        assert [secret.name for secret in await harness.store.secrets.list(None)] == ["A", "B", "C"]
        assert [secret.name for secret in await harness.store.secrets.list("")] == ["A", "B"]
        assert [secret.name for secret in await harness.store.secrets.list(AGENT)] == ["C"]

    async def test_a_deleted_secret_is_gone(self, harness: Harness) -> None:
        await harness.store.secrets.set(AGENT, "TOKEN", b"x", "key:ops")
        await harness.store.secrets.delete(AGENT, "TOKEN")
        assert await harness.store.secrets.resolve(AGENT, ["TOKEN"]) == {}
        with pytest.raises(NotFound):
            await harness.store.secrets.delete(AGENT, "TOKEN")


def new_key(key_hash: str, **more: Any) -> NewApiKey:
    return NewApiKey(new_api_key_id(), "laptop", "admin", key_hash, **more)


class Keys:
    async def test_a_key_is_found_by_its_hash_until_it_is_revoked(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        assert await harness.store.keys.find("h1") == key
        assert await harness.store.keys.find("h2") is None
        await harness.store.keys.revoke(key.id)
        assert await harness.store.keys.find("h1") is None
        (listed,) = await harness.store.keys.list()
        assert listed.revoked_us is not None
        harness.advance(5)
        await harness.store.keys.revoke(key.id)
        assert await harness.store.keys.list() == [listed]

    async def test_a_hash_is_used_once(self, harness: Harness) -> None:
        await harness.store.keys.create(new_key("h1"))
        with pytest.raises(Conflict):
            await harness.store.keys.create(new_key("h1"))

    async def test_scope_and_maker_are_kept(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1", agents=["a", "b"], actor="key:ops"))
        assert (tuple(key.agents), key.actor, key.expires_us) == (("a", "b"), "key:ops", None)
        assert await harness.store.keys.find("h1") == key

    async def test_a_key_expires_by_the_database_s_clock(self, harness: Harness) -> None:
        now_us = await harness.store.schedules.now_us()
        await harness.store.keys.create(new_key("h1", expires_us=now_us + 60 * SECOND))
        assert await harness.store.keys.find("h1") is not None
        harness.advance(61)
        assert await harness.store.keys.find("h1") is None

    async def test_the_last_use_is_kept(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        assert key.last_used_us is None
        await harness.store.keys.touch(key.id)
        harness.advance(60)
        (first,) = await harness.store.keys.list()
        await harness.store.keys.touch(key.id)
        (second,) = await harness.store.keys.list()
        assert first.last_used_us is not None
        assert second.last_used_us is not None
        assert second.last_used_us - first.last_used_us >= 60 * SECOND

    async def test_revoking_an_unknown_key_is_not_found(self, harness: Harness) -> None:
        with pytest.raises(NotFound):
            await harness.store.keys.revoke(ApiKeyId("nothing"))


class Logins:
    HOUR_US = 3600 * SECOND

    async def test_a_link_opens_one_session(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        await harness.store.logins.offer("link", key.id, self.HOUR_US)
        assert await harness.replica.logins.redeem("link", "session", self.HOUR_US)
        assert not await harness.store.logins.redeem("link", "another", self.HOUR_US)
        login = await harness.store.logins.find("session")
        assert login is not None
        assert login.key == key
        assert await harness.store.logins.find("another") is None

    async def test_only_one_of_many_uses_of_a_link_succeeds(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        await harness.store.logins.offer("link", key.id, self.HOUR_US)
        stores = (harness.store, harness.replica)
        uses = [
            stores[number % 2].logins.redeem("link", f"session {number}", self.HOUR_US) for number in range(10)
        ]
        assert sum(await asyncio.gather(*uses)) == 1

    async def test_a_session_has_its_key_s_scope_and_ends_with_it(self, harness: Harness) -> None:
        until_us = await harness.store.schedules.now_us() + 60 * SECOND
        key = await harness.store.keys.create(new_key("h1", agents=["mine"], expires_us=until_us))
        await harness.store.logins.open("session", key.id, self.HOUR_US)
        login = await harness.store.logins.find("session")
        assert login is not None
        assert login.key == key
        harness.advance(61)
        assert await harness.store.logins.find("session") is None

    async def test_links_and_sessions_expire(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        await harness.store.logins.offer("link", key.id, self.HOUR_US)
        await harness.store.logins.open("session", key.id, self.HOUR_US)
        harness.advance(3601)
        assert not await harness.store.logins.redeem("link", "late", self.HOUR_US)
        assert await harness.store.logins.find("session") is None

    async def test_a_link_is_no_session_and_a_session_no_link(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        await harness.store.logins.offer("link", key.id, self.HOUR_US)
        await harness.store.logins.open("session", key.id, self.HOUR_US)
        assert await harness.store.logins.find("link") is None
        assert not await harness.store.logins.redeem("session", "more", self.HOUR_US)

    async def test_a_session_ends_with_its_key_or_when_it_is_closed(self, harness: Harness) -> None:
        key = await harness.store.keys.create(new_key("h1"))
        for session in ("first", "second"):
            await harness.store.logins.open(session, key.id, self.HOUR_US)
        await harness.store.logins.close("first")
        await harness.store.logins.close("first")
        assert await harness.store.logins.find("first") is None
        assert await harness.store.logins.find("second") is not None
        await harness.store.keys.revoke(key.id)
        assert await harness.store.logins.find("second") is None


class Lifetime:
    async def test_a_check_passes_while_the_store_takes_writes(self, harness: Harness) -> None:
        await harness.store.check()
        await harness.store.check()

    async def test_a_cancelled_caller_does_not_undo_a_write(self, harness: Harness) -> None:
        new = harness.new_run()
        task = asyncio.ensure_future(harness.store.runs.create(new))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await harness.store.check()
        assert len(await harness.store.runs.list(RunFilter(), 10)) <= 1

    async def test_a_closed_store_refuses(self, harness: Harness) -> None:
        await harness.store.close()
        await harness.store.close()
        with pytest.raises(Unavailable):
            await harness.submit()
        with pytest.raises(Unavailable):
            await harness.store.agents.list()

    async def test_closing_finishes_what_was_accepted(self, harness: Harness) -> None:
        accepted = [asyncio.ensure_future(harness.submit()) for _ in range(50)]
        await asyncio.sleep(0)
        await harness.store.close()
        assert len(set(await asyncio.gather(*accepted))) == 50

"""`ao keys` and `ao audit`, as users type them."""

import re

from tests.acceptance.command import Ao


def test_a_key_is_made_used_seen_and_revoked(ao: Ao) -> None:
    made = ao.ok("keys", "create", "watcher", "--role", "viewer", "--expires", "30d")
    key = made.out.strip()
    assert re.fullmatch(r"ao_[0-9A-Za-z]{43}", key)
    assert "viewer of all agents and ends in" in made.err
    assert key not in ao.ok("keys", "list").out
    assert ao("runs", AO_API_KEY=key).status == 0
    refused = ao("gc", AO_API_KEY=key)
    assert (refused.status, "is a viewer" in refused.err) == (6, True)
    assert re.search(r"watcher +viewer +all +\S+ ago", ao.ok("keys", "list").out)
    assert ao("keys", "create", "watcher", "--role", "admin").status == 4
    ao.ok("keys", "revoke", "watcher")
    assert "watcher" not in ao.ok("keys", "list").out
    assert "watcher" in ao.ok("keys", "list", "--revoked", "--json").out
    assert ao("keys", "revoke", "watcher").status == 3


def test_a_scope_is_told_and_kept(ao: Ao) -> None:
    made = ao.ok("keys", "create", "scoped", "--role", "operator", "--agent", "one", "--agent", "two", "--json")
    assert made.json["key"]["agents"] == ["one", "two"]
    refused = ao("run", "three", AO_API_KEY=made.json["secret"])
    assert (refused.status, "is for one, two only" in refused.err) == (6, True)


def test_changes_are_in_the_audit_log(ao: Ao) -> None:
    ao.ok("secrets", "set", "AUDITED", stdin="value")
    ao.ok("secrets", "rm", "AUDITED")
    page = ao.ok("audit", "--target", "secret:AUDITED", "--since", "1h", "--json").json
    assert [entry["action"] for entry in page["items"]] == ["secret.delete", "secret.set"]
    shown = ao.ok("audit", "--action", "secret.", "--target", "secret:AUDITED")
    assert re.search(r"key:local +secret\.set +secret:AUDITED +127\.0\.0\.1", shown.out)
    assert "no such changes" in ao.ok("audit", "--until", "2020-01-01").err
    assert ao("audit", "--since", "yesterday").status == 2
    assert ao("audit", "--since", "0h").status == 2

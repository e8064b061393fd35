"""Which hosts and addresses a list allows."""

from ipaddress import ip_address

import pytest

from ao.sandbox.egress.request import BadRequest, parse
from ao.sandbox.egress.rules import HostRule, Rules, address_allowed


def allowed(entries: list[str], host: str, port: int = 443) -> bool:
    return bool(Rules(entries).matching(host, port))


def leads_to(entries: list[str], host: str, address: str, port: int = 443) -> bool:
    rules = Rules(entries).matching(host, port)
    assert rules
    return address_allowed(ip_address(address), rules)


def test_an_entry_without_a_port_means_the_usual_ones() -> None:
    assert allowed(["api.github.com"], "api.github.com", 443)
    assert allowed(["api.github.com"], "API.GitHub.com.", 80)
    assert not allowed(["api.github.com"], "api.github.com", 22)


def test_an_entry_with_a_port_means_that_one() -> None:
    assert allowed(["db.internal:5432"], "db.internal", 5432)
    assert not allowed(["db.internal:5432"], "db.internal", 443)


def test_a_wildcard_means_names_below_and_not_the_domain_itself() -> None:
    assert allowed(["*.example.com"], "a.b.example.com")
    assert not allowed(["*.example.com"], "example.com")
    assert not allowed(["*.example.com"], "badexample.com")


@pytest.mark.parametrize("entry", ["", "*", "a.*.com", "host:0", "host:99999", "http://x", "user@host", "a/b"])
def test_other_entries_are_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        HostRule.parse(entry)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "127.0.0.1", "::1", "fe80::1", "0.0.0.0"]
)
def test_a_listed_name_may_not_lead_to_this_machine_or_its_metadata(address: str) -> None:
    assert not leads_to(["example.com"], "example.com", address)
    assert not leads_to(["*.example.com"], "a.example.com", address)


@pytest.mark.parametrize(
    "disguise",
    [
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
    ],
)
def test_an_address_inside_another_is_seen(disguise: str) -> None:
    assert not leads_to(["example.com"], "example.com", disguise)


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "100.64.0.1", "192.0.0.192", "fc00::1", "fec0::1", "64:ff9b:1::a00:1", "2001:db8::1"],
)
def test_what_no_internet_carries_is_not_public(address: str) -> None:
    assert not address_allowed(ip_address(address), ())


def test_private_addresses_need_the_exact_name() -> None:
    assert leads_to(["db.internal:5432"], "db.internal", "10.1.2.3", 5432)
    assert not leads_to(["*.internal"], "db.internal", "10.1.2.3")
    assert leads_to(["*.example.com"], "a.example.com", "93.184.216.34")


def test_an_address_that_is_listed_itself_is_allowed() -> None:
    assert leads_to(["127.0.0.1:8080"], "127.0.0.1", "127.0.0.1", 8080)
    assert leads_to(["localhost:8080"], "localhost", "::1", 8080)
    assert leads_to(["[::1]:8080"], "[::1]", "::1", 8080)


def test_connect_names_host_and_port() -> None:
    request = parse(b"CONNECT api.github.com:443 HTTP/1.1\r\nHost: other\r\n\r\n")
    assert (request.host, request.port, request.tunnel) == ("api.github.com", 443, True)
    assert parse(b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n\r\n").host == "2001:db8::1"


def test_a_whole_url_becomes_a_request_to_its_host_alone() -> None:
    head = (
        b"GET http://user:pw@example.com:8080/a?b=c HTTP/1.1\r\nHost: evil.test\r\nAccept: */*\r\n"
        b"Proxy-Authorization: secret\r\nConnection: keep-alive\r\n\r\n"
    )
    request = parse(head)
    assert (request.host, request.port) == ("example.com", 8080)
    assert request.forward == (
        b"GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    "head",
    [
        b"GET /path HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"GET https://example.com/ HTTP/1.1\r\n\r\n",
        b"CONNECT :443 HTTP/1.1\r\n\r\n",
        b"CONNECT host:port HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n\r\n",
    ],
)
def test_anything_else_is_a_bad_request(head: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(head)

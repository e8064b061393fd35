"""Addresses: taken, foreign, exposed."""

import socket

import pytest

from ao.domain.errors import Conflict, InvalidConfig
from ao.server.listen import bind, check_exposure


def test_a_port_that_is_taken_is_a_conflict_with_a_way_out() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        first.listen()
        with pytest.raises(Conflict, match=f"127.0.0.1:{port}") as refused:
            bind("127.0.0.1", port)
    assert "AO_PORT" in refused.value.hint


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Conflict):
        bind("192.0.2.1", 0)
    with pytest.raises(InvalidConfig, match=r"no\.such\.host\.invalid"):
        bind("no.such.host.invalid", 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ao.example"])
def test_other_machines_are_let_in_only_with_keys(host: str) -> None:
    with pytest.raises(InvalidConfig, match="without an API key"):
        check_exposure(host, has_keys=False)
    check_exposure(host, has_keys=True)
    check_exposure("127.0.0.1", has_keys=False)


def test_any_free_port_is_a_real_one() -> None:
    with bind("localhost", 0) as listening:
        assert listening.getsockname()[1] > 0
        assert listening.type == socket.SOCK_STREAM

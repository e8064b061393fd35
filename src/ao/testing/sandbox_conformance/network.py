"""What a sandbox may reach, by policy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from ao.sandbox import Network
from ao.testing.sandbox_conformance.levels import in_namespaces, without_namespaces
from ao.testing.sandbox_conformance.rig import Rig

CONNECT = """
    import socket
    def main(where):
        try: socket.create_connection(tuple(where), timeout=10).close()
        except OSError as error: return [type(error).__name__, error.errno]
        return "connected"
    """
FETCH = """
    import os, urllib.request, urllib.error
    def main(url):
        # Loopback is what these tests serve; the proxy must be asked for it, too.
        del os.environ["NO_PROXY"], os.environ["no_proxy"]
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return [answer.status, answer.read().decode()]
        except urllib.error.HTTPError as error: return [error.code, error.read().decode()]
    """


@asynccontextmanager
async def web_server() -> AsyncIterator[int]:
    """A server on the host's loopback that tells the request it got."""

    answering: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.create_task(_echo_head(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*answering)


async def _echo_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # a connection was all that the agent wanted, or it is gone
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("policy", ["none", "models", "hosts"])
async def test_the_hosts_loopback_is_out_of_reach(rig: Rig, policy: str) -> None:
    network = Network(policy, ("example.com",) if policy == "hosts" else ())  # type: ignore[arg-type]
    async with web_server() as port:
        for where in (["127.0.0.1", port], ["::1", port], ["localhost", port]):
            assert (await rig.run(CONNECT, where, network=network)).result != "connected"


async def test_the_metadata_address_is_out_of_reach(rig: Rig) -> None:
    for where in (["169.254.169.254", 80], ["10.0.0.1", 443], ["1.1.1.1", 53]):
        outcome = (await rig.run(CONNECT, where)).result
        # Refused at once, not by a timeout.
        assert outcome[1] is not None


async def test_a_refused_connection_says_how_to_allow_it(rig: Rig) -> None:
    source = """
        import urllib.request
        def main(): urllib.request.urlopen("http://example.com", timeout=10)
        """
    error = (await rig.run(source)).error
    assert "[sandbox] network" in str(error["hint"])


async def test_full_network_reaches_what_the_host_reaches(rig: Rig) -> None:
    async with web_server() as port:
        assert (await rig.run(CONNECT, ["127.0.0.1", port], network=Network("full"))).result == "connected"


@in_namespaces
async def test_own_loopback_works(rig: Rig) -> None:
    source = """
        import socket
        def main():
            server = socket.create_server(("127.0.0.1", 0))
            socket.create_connection(server.getsockname()).close()
            return True
        """
    assert (await rig.run(source)).result is True


@in_namespaces
async def test_a_listed_host_is_reached_through_the_proxy(rig: Rig) -> None:
    async with web_server() as port:
        network = Network("hosts", (f"127.0.0.1:{port}", f"localhost:{port}"))
        for host in ("127.0.0.1", "localhost"):
            ran = await rig.run(FETCH, f"http://{host}:{port}/path?query=1", network=network)
            assert ran.result[0] == 200
            assert f"GET /path?query=1 HTTP/1.1\r\nHost: {host}:{port}\r\n" in ran.result[1]


@in_namespaces
async def test_an_unlisted_host_is_refused_with_a_sentence(rig: Rig) -> None:
    network = Network("hosts", ("*.example.com", "api.github.com"))
    for url, sentence in (
        ("http://example.org/", "example.org:80 is not listed"),
        ("http://169.254.169.254/latest", "169.254.169.254:80 is not listed"),
        ("http://api.github.com:22/", "api.github.com:22 is not listed"),
    ):
        status, body = (await rig.run(FETCH, url, network=network)).result
        assert status == 403
        assert sentence in body


@in_namespaces
async def test_a_tunnel_carries_bytes_both_ways(rig: Rig) -> None:
    source = """
        import os, socket
        from urllib.parse import urlsplit
        def main(port):
            proxy = urlsplit(os.environ["HTTPS_PROXY"])
            with socket.create_connection((proxy.hostname, proxy.port)) as sock:
                sock.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n".encode())
                opened = sock.recv(4096).split(b"\\r\\n")[0].decode()
                sock.sendall(b"GET /inside HTTP/1.1\\r\\n\\r\\n")
                answer = b""
                while data := sock.recv(4096): answer += data
            return [opened, answer.decode()]
        """
    async with web_server() as port:
        ran = await rig.run(source, port, network=Network("hosts", (f"127.0.0.1:{port}",)))
    opened, answer = ran.result
    assert opened == "HTTP/1.1 200 Connection established"
    assert "GET /inside HTTP/1.1" in answer


@without_namespaces
async def test_a_level_without_the_proxy_says_so(rig: Rig) -> None:
    ran = await rig.run("def main(): return 1", network=Network("hosts", ("example.com",)))
    assert any("list of hosts" in line for line in ran.info.degraded)


async def test_a_listener_that_was_not_asked_for_ends_the_sandbox(rig: Rig) -> None:
    source = """
        import os, socket, struct, time
        def main():
            sock = socket.socket(fileno=os.dup(3))
            body = b'{"type":"listener","name":"egress"}'
            socket.send_fds(sock, [struct.pack(">I", len(body)) + body], [0])
            time.sleep(60)
        """
    ran = await rig.run(source)
    assert ran.exit.cause == "protocol"


async def test_nonsense_on_the_socket_ends_the_sandbox(rig: Rig) -> None:
    ran = await rig.run("import os, time\ndef main():\n    os.write(3, b'x' * 4096)\n    time.sleep(60)")
    assert ran.exit.cause == "protocol"

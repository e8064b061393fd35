"""Requests to addresses that users name: never to this machine or its neighbours unless a setting says so."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpcore

from ao.sandbox.egress.rules import Rules, address_allowed, normal_host

TIMEOUT_SECONDS = 15.0
"""For one request with everything: name, connection, answer."""
CONNECT_SECONDS = 4.0
"""For one address of a name that has others."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    retry_after_seconds: float | None


class NotSent(Exception):
    """The request could not be made or was not answered; says why."""


class Outbound:
    """Sends one request at a time to each address that it is given.

    A name is resolved once, checked, and connected to by the address that was checked: a name that changes its
    mind in between gains nothing. Redirects are not followed, proxies of the environment not used.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        """`allowed` are hosts whose addresses need not be public: `host`, `host:port` or `*.domain`."""
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=100,
            max_keepalive_connections=0,
            network_backend=_Guarded(Rules(allowed)),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Raises NotSent."""
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                async with self._pool.stream("POST", url, headers=sent, content=body) as response:
                    found = dict(response.headers)
                    return Reply(response.status, _seconds(found.get(b"retry-after")))
        except TimeoutError as error:
            raise NotSent(f"no answer within {TIMEOUT_SECONDS:g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise NotSent(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        await self._pool.aclose()


class _Guarded(httpcore.AsyncNetworkBackend):
    def __init__(self, allowed: Rules) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = await self._resolve(host, port)
        for address in others:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await self._backend.connect_tcp(
                        address, port, timeout, local_address, socket_options
                    )
            except (TimeoutError, httpcore.ConnectError):
                continue  # it has another one
        return await self._backend.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses that may be connected to, in the resolver's order; at least one."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise NotSent(f"the name {host} cannot be resolved: {reason}") from error
        rules = self._allowed.matching(normal_host(host), port)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [
            each for each in addresses if address_allowed(ipaddress.ip_address(each.partition("%")[0]), rules)
        ]
        if not allowed:
            refused = f"{host} is {addresses[0]}, an address that is not public"
            raise NotSent(f"{refused}; AO_WEBHOOK_HOSTS allows hosts")
        return allowed


def _seconds(value: bytes | None) -> float | None:
    """A Retry-After, which is a number of seconds or a date; None for anything else."""
    text = (value or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, until.replace(tzinfo=until.tzinfo or UTC).timestamp() - time.time())

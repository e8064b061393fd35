"""The proxy of one sandbox. It listens inside, connects outside, and resolves names outside too."""

import asyncio
import contextlib
import socket
from ipaddress import ip_address

from ao.logs import get_logger
from ao.sandbox.egress.request import MAX_HEAD_BYTES, BadRequest, ProxyRequest, parse
from ao.sandbox.egress.rules import Rules, address_allowed

_HEAD_SECONDS, _CONNECT_SECONDS = 30.0, 20.0
_CHUNK_BYTES = 1 << 16
_MAX_CONNECTIONS = 256

log = get_logger(__name__)


class Refused(Exception):
    """The client is answered with this status and sentence."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class EgressProxy:
    """Serves one listening socket until `close`. Every refusal is answered 403 with a sentence, and logged."""

    def __init__(self, rules: Rules, sandbox_id: str) -> None:
        self._rules = rules
        self._sandbox_id = sandbox_id
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Start serving; the proxy owns `listener` from now on."""
        listener.setblocking(False)
        self._server = await asyncio.start_server(self._on_client, sock=listener, limit=MAX_HEAD_BYTES)

    async def close(self) -> None:
        """End the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._serve_client(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            # One of the two ends went away; the other one notices.
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._read_request(reader)
            server_reader, server_writer = await self._connect(request)
        except Refused as refusal:
            writer.write(_answer(refusal))
            await writer.drain()
            return
        try:
            if request.tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server_writer.write(request.forward)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, server_writer))
                group.create_task(_pump(server_reader, writer))
        except* OSError:
            pass
        finally:
            server_writer.close()

    async def _read_request(self, reader: asyncio.StreamReader) -> ProxyRequest:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                return parse(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError as error:
            raise Refused("431 Request Header Fields Too Large", "the request's head is too long") from error
        except BadRequest as error:
            raise Refused("400 Bad Request", str(error)) from error

    async def _connect(self, request: ProxyRequest) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = f"{request.host}:{request.port}"
        rules = self._rules.matching(request.host, request.port)
        if not rules:
            log.warning("egress refused", sandbox=self._sandbox_id, host=request.host, port=request.port)
            raise Refused("403 Forbidden", f"{where} is not listed under [sandbox] network in ao.toml")
        addresses = await self._resolve(request)
        allowed = [text for text in addresses if address_allowed(ip_address(text), rules)]
        if not allowed:
            log.warning("egress refused", sandbox=self._sandbox_id, host=request.host, addresses=addresses)
            sentence = f"{where} leads to {addresses[0]}, which is private; list that name or address"
            raise Refused("403 Forbidden", sentence)
        error: OSError | None = None
        for address in allowed:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(address, request.port)
            except OSError as failure:
                error = failure
        raise Refused("502 Bad Gateway", f"cannot connect to {where}: {error or 'no address'}")

    async def _resolve(self, request: ProxyRequest) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(request.host, request.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Refused("502 Bad Gateway", f"cannot resolve {request.host}: {error.strerror}") from error
        return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_rest, address in found))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until their end, and hand that on."""
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


def _answer(refusal: Refused) -> bytes:
    body = f"AO: {refusal.sentence}\n".encode()
    head = f"HTTP/1.1 {refusal.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body

"""Moves bytes for the async client, with httpx. Proxies of the environment are not used."""

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx

from ao.client.wire import Answer, LostConnection, Request

CONNECT_SECONDS = 10.0


class AsyncHttp:
    """One server's connections."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc}"
        tls = ssl.create_default_context() if parts.scheme == "https" else True
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=60)
        self._http = httpx.AsyncClient(verify=tls, trust_env=False, limits=limits)

    async def send(self, request: Request) -> Answer:
        """The whole answer. Raises LostConnection."""
        async with self._wrapped():
            response = await self._http.send(self._request(request, request.body, {}))
        return Answer(response.status_code, response.headers.get("content-type", ""), response.content)

    async def upload(self, request: Request, chunks: Iterable[bytes], size: int) -> Answer:
        """Send a body of `size` bytes. Raises LostConnection."""

        async def body() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        async with self._wrapped():
            response = await self._http.send(self._request(request, body(), {"content-length": str(size)}))
        return Answer(response.status_code, response.headers.get("content-type", ""), response.content)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """An answer whose body is read as it comes; its own body is empty unless it is an error."""
        async with self._wrapped():
            response = await self._http.send(self._request(request, request.body, {}), stream=True)
        try:
            async with self._wrapped():
                body = await response.aread() if response.status_code >= 400 else b""
            answer = Answer(response.status_code, response.headers.get("content-type", ""), body)
            yield answer, self._chunks(response)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._http.aclose()

    def _request(
        self, request: Request, body: bytes | AsyncIterator[bytes] | None, headers: dict[str, str]
    ) -> httpx.Request:
        timeout = httpx.Timeout(request.timeout_seconds, connect=CONNECT_SECONDS, pool=None)
        return self._http.build_request(
            request.method,
            self._base + request.path,
            headers={**request.headers, **headers},
            content=body,
            timeout=timeout,
        )

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        async with self._wrapped():
            async for chunk in response.aiter_raw():
                yield chunk

    @asynccontextmanager
    async def _wrapped(self) -> AsyncIterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise LostConnection(_reason(error), refused=refused) from error


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return (
            "connection refused" if "refused" in str(error) or "attempts failed" in str(error) else str(error)
        )
    return str(error) or type(error).__name__

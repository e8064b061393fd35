"""Moves bytes for the sync client: the standard library's HTTP, which imports in a tenth of httpx's time.

Connections are kept alive and may be used from many threads; proxies of the environment are not used.
"""

import http.client
import select
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ao.client.wire import Answer, LostConnection, Request

CONNECT_SECONDS = 10.0
CHUNK = 1 << 16
IDLE_CONNECTIONS = 8


class SyncHttp:
    """One server's connections."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def send(self, request: Request) -> Answer:
        """The whole answer. Raises LostConnection."""
        connection = self._idle_connection() or self._connect()
        try:
            answer, lasting = self._exchange(connection, request, request.body, {})
        except BaseException:
            connection.close()
            raise
        self._keep(connection, lasting)
        return answer

    def upload(self, request: Request, chunks: Iterable[bytes], size: int) -> Answer:
        """Send a body of `size` bytes on a connection of its own. Raises LostConnection."""
        connection = self._connect()
        try:
            answer, _ = self._exchange(connection, request, chunks, {"content-length": str(size)})
            return answer
        finally:
            connection.close()

    @contextmanager
    def stream(self, request: Request) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """An answer whose body is read as it comes; its own body is empty unless it is an error."""
        connection = self._connect()
        try:
            with _wrapped():
                connection.request(request.method, request.path, request.body, dict(request.headers))
                _patience(connection, request.timeout_seconds)
                response = connection.getresponse()
                content_type = response.headers.get("content-type", "")
                body = response.read() if response.status >= 400 else b""
            yield Answer(response.status, content_type, body), _chunks(response)
        finally:
            connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        request: Request,
        body: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
    ) -> tuple[Answer, bool]:
        """The answer, and whether the connection stays open after it."""
        _patience(connection, request.timeout_seconds)
        with _wrapped():
            try:
                connection.request(request.method, request.path, body, {**request.headers, **headers})
            except (BrokenPipeError, ConnectionResetError):
                if isinstance(body, bytes | None):
                    raise
                # An upload may be refused before it is complete: the answer is there, and says why.
            response = connection.getresponse()
            if response.length is None and not response.chunked:
                raise http.client.IncompleteRead(b"")  # cut within its headers, which http.client lets pass
            answer = Answer(response.status, response.headers.get("content-type", ""), response.read())
        return answer, not response.will_close

    def _idle_connection(self) -> http.client.HTTPConnection | None:
        """A kept connection that the server has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _has_news(connection):
                return connection
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise LostConnection(_reason(error), refused=True) from error
        return connection

    def _keep(self, connection: http.client.HTTPConnection, lasting: bool) -> None:
        with self._lock:
            if lasting and not self._closed and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()


def _has_news(connection: http.client.HTTPConnection) -> bool:
    """Something came on an idle connection: its end."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _patience(connection: http.client.HTTPConnection, seconds: float) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(seconds)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        with _wrapped():
            chunk = response.read1(CHUNK)
        if not chunk:
            return
        yield chunk


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except http.client.BadStatusLine as error:
        is_gone = isinstance(error, http.client.RemoteDisconnected)
        raise LostConnection(_reason(error) if is_gone else _NO_HTTP, refused=not is_gone) from error
    except (OSError, http.client.HTTPException) as error:
        raise LostConnection(_reason(error), refused=False) from error


_NO_HTTP = "what is there speaks no HTTP/1.1; is it the port of gRPC?"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if error.strerror[:1].isupper() else error.strerror
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut"
    return str(error) or type(error).__name__

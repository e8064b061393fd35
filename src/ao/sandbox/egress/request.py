"""What a client asks of the proxy: CONNECT, or a request whose target is a whole URL. Pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ao.sandbox.egress.rules import split_host_port

MAX_HEAD_BYTES = 64 << 10
_OF_THE_PROXY = ("proxy-authorization", "proxy-connection", "connection", "keep-alive", "host")
_HTTP_PORT, _HTTPS_PORT = 80, 443


class BadRequest(Exception):
    """The client sent something else."""


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    host: str
    port: int
    forward: bytes = b""
    """What the server is sent first; empty for CONNECT, which only opens a tunnel."""

    @property
    def tunnel(self) -> bool:
        return not self.forward


def parse(head: bytes) -> ProxyRequest:
    """Read a request's head, which ends in an empty line. Raises `BadRequest`."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest("this is an HTTP/1.1 proxy")
    method, target, version = words
    try:
        if method == "CONNECT":
            host, port = split_host_port(target)
            return ProxyRequest(_named(host), port or _HTTPS_PORT)
        return _absolute(method, target, version, lines[1:-2])
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _absolute(method: str, target: str, version: str, headers: list[str]) -> ProxyRequest:
    url = urlsplit(target)
    if url.scheme != "http":
        raise BadRequest("the target must be an http:// URL; https goes through CONNECT")
    host, port = _named(url.hostname or ""), url.port or _HTTP_PORT
    authority = url.netloc.rpartition("@")[2]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    # One request each connection: what follows on it would reach this server whatever it names.
    kept = [line for line in headers if line.partition(":")[0].strip().lower() not in _OF_THE_PROXY]
    lines = [f"{method} {path} {version}", f"Host: {authority}", *kept, "Connection: close", "", ""]
    return ProxyRequest(host, port, "\r\n".join(lines).encode("latin-1"))


def _named(host: str) -> str:
    if not host:
        raise BadRequest("the target names no host")
    return host

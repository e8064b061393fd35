"""How the values of settings are read. Readers raise ValueError with the end of a sentence for the user."""

import base64
import binascii
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ao.places import Bucket


def directory(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_absolute():
        path = Path.cwd() / path
    return path


def directory_or_bucket(text: str) -> Path | Bucket:
    return bucket(text) if text.startswith("s3:") else directory(text)


def bucket(text: str) -> Bucket:
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?", text)
    prefix = (match[2] or "").strip("/") if match else ""
    if match is None or "//" in prefix or any(part in (".", "..") for part in prefix.split("/")):
        raise ValueError("is not s3://bucket or s3://bucket/prefix, in the characters that S3 allows")
    return Bucket(match[1], prefix)


def word(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("is not one word of printable characters")
    return text


def host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", text):
        raise ValueError("is not a host name or address, such as 127.0.0.1")
    return text.strip("[]")


def hosts(text: str) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in entries:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", entry):
            raise ValueError(f"has {entry!r}, which is not host, host:port or *.domain")
    return entries


def integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"\d{1,18}", text) else -1
        if not low <= value <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return value

    return read


def image(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._/:@-]|\{python\})*", text):
        raise ValueError("is not the name of an image, such as python:{python}-slim")
    return text


def docker_network(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise ValueError("is not the name of a Docker network, such as bridge or host")
    return text


def seconds(text: str) -> float:
    value = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0
    if not 0.05 <= value <= 86_400:
        raise ValueError("is not a number of seconds from 0.05 to 86400")
    return value


def cores(text: str) -> float:
    value = float(text) if re.fullmatch(r"\d{1,4}(\.\d{1,3})?", text) else 0.0
    if value <= 0:
        raise ValueError("is not a number of cores such as 8 or 1.5")
    return value


def size(text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(i?B)?", text, re.IGNORECASE)
    value = int(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ") if match else 0
    if not 1 <= value <= 1 << 50:
        raise ValueError("is not a size such as 200M or 2G")
    return value


def memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return text.lower()

    return read


def check_url(text: str) -> str:
    """A server's base URL without trailing slash; ValueError otherwise."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or any(c.isspace() for c in text):
        raise ValueError("is not a URL such as http://127.0.0.1:7433")
    return text.rstrip("/")


def database_url(text: str) -> str:
    if text.startswith(("postgresql://", "postgres://")) or re.match(r"sqlite:////?[^/]", text):
        return text
    raise ValueError("is not postgresql://… or sqlite:///path")


REDIS_OPTIONS = {"redis": set[str](), "rediss": {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}, "unix": {"db"}}
"""What may follow the question mark, by scheme."""


def redis_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        if parts.scheme == "unix":
            valid = not parts.hostname and bool(re.fullmatch(r"/.*[^/]", parts.path))
        else:
            valid = bool(parts.hostname) and parts.port != 0 and bool(re.fullmatch(r"(/\d{0,4})?", parts.path))
    except ValueError:
        valid, options = False, {}
    if not valid or parts.scheme not in REDIS_OPTIONS or parts.fragment or any(c.isspace() for c in text):
        raise ValueError("is not redis://host:port, rediss://host:port or unix:///path/to/socket")
    unknown = options.keys() - REDIS_OPTIONS[parts.scheme]
    if unknown:
        allowed = ", ".join(sorted(REDIS_OPTIONS[parts.scheme])) or "none"
        raise ValueError(f"has an option that {parts.scheme}:// does not take here; it takes: {allowed}")
    if not all(re.fullmatch(r"\d{1,4}", db) for db in options.get("db", ())):
        raise ValueError("has a db that is not a number")
    return text


def api_key(text: str) -> str:
    if not re.fullmatch(r"ao_[0-9A-Za-z]{8,128}", text):
        raise ValueError("is not an API key: they start with ao_, followed by letters and digits")
    return text


def secrets_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("is not 32 bytes in base64; make one with `openssl rand -base64 32`")
    return key

"""Which server a client speaks to, with which key, and where it knows both from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ao.domain.errors import InvalidConfig, Problem
from ao.setting_values import check_url
from ao.settings import DEFAULT_PORT, connection_variables, home_of, is_loopback


@dataclass(frozen=True, slots=True)
class Target:
    url: str
    origin: str
    """Where the URL came from, in words."""
    api_key: str | None = field(repr=False)
    key_origin: str = ""
    """Where the key came from, in words."""

    @property
    def local(self) -> bool:
        return is_loopback(urlsplit(self.url).hostname or "")


def find(
    url: str | None = None,
    api_key: str | None = None,
    home: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Target:
    """Arguments first, then AO_URL and AO_API_KEY, then the files of the home directory, then the default.

    The home's key is sent to this machine only: it must not leak to a server that a URL names.
    """
    environ = connection_variables() if variables is None else variables
    directory = home or home_of(environ)
    found, origin = _url(url, environ, directory)
    key = api_key or environ.get("AO_API_KEY", "").strip() or None
    target = Target(found, origin, key, "the api_key given" if api_key else "AO_API_KEY")
    if key is None and target.local:
        return Target(found, origin, _key_file(directory / "key"), str(directory / "key"))
    return target


def _url(url: str | None, environ: Mapping[str, str], home: Path) -> tuple[str, str]:
    if url:
        return _checked(url, "url"), "the url given"
    if environ.get("AO_URL", "").strip():
        return _checked(environ["AO_URL"].strip(), "AO_URL"), "AO_URL"
    file = home / "server.json"
    try:
        document = json.loads(file.read_text())
        return check_url(document["url"]), str(file)
    except (OSError, ValueError, TypeError, LookupError):
        # no server runs there, or it is just writing its file: the default says where one would be
        return f"http://127.0.0.1:{DEFAULT_PORT}", "the default"


def _checked(text: str, name: str) -> str:
    try:
        return check_url(text)
    except ValueError as error:
        message = f"{text!r} {error}"
        raise InvalidConfig(f"{name}: {message}", problems=[Problem(name, message)]) from error


def _key_file(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfig(
            f"the API key file {path} cannot be read: {error.strerror}", hint="set AO_API_KEY, or ask its owner"
        ) from error

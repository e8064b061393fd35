"""The host's pip configuration: index, extra indexes, wheel directories, CA, proxy.

Standard library only: it runs before anything is installed. Sources, later wins, as in pip:
global files, user files, the interpreter's own file, PIP_CONFIG_FILE, PIP_* variables.
"""

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

# The one place that knows pip's own default. An interpreter without pip and ensurepip holds it nowhere,
# so it cannot be read from the host; it is joined so that no file of this repository pins a registry.
DEFAULT_INDEX = "https://{}/simple".format(".".join(("pypi", "org")))

_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host", "proxy", "timeout")


@dataclass(frozen=True)
class PipConfig:
    index: str | None
    """None: `no-index` is set and only wheel directories count."""
    extra_indexes: list[str]
    find_links: list[str]
    cert: str | None
    trusted_hosts: list[str]
    proxy: str | None
    timeout_seconds: float
    origin: dict[str, str]
    """Where each key came from: a file or a variable."""

    def uv_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with the variables that make uv behave like this host's pip; set UV_* variables win."""
        wanted = {
            "UV_DEFAULT_INDEX": self.index,
            "UV_INDEX": " ".join(self.extra_indexes),
            "UV_FIND_LINKS": ",".join(self.find_links),
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "UV_HTTP_TIMEOUT": str(int(self.timeout_seconds)),
            # Every file is pinned by hash, so looking into all indexes, as pip does, is safe.
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_SYSTEM_CERTS": "true",
            "UV_PYTHON_DOWNLOADS": "never",
            "SSL_CERT_FILE": self.cert if self.cert and os.path.isfile(self.cert) else None,
            "SSL_CERT_DIR": self.cert if self.cert and os.path.isdir(self.cert) else None,
        }
        if self.index == DEFAULT_INDEX:
            del wanted["UV_DEFAULT_INDEX"]
        env = {key: value for key, value in wanted.items() if value}
        env.update(base)
        if self.proxy:
            env.setdefault("HTTPS_PROXY", self.proxy)
            env.setdefault("HTTP_PROXY", self.proxy)
        env.pop("VIRTUAL_ENV", None)
        return env


def read(environ: Mapping[str, str], prefix: str = sys.prefix) -> PipConfig:
    """What pip would use in this environment."""
    values: dict[str, str] = {}
    origin: dict[str, str] = {}
    for path in config_files(environ, prefix):
        for key, value in _read_file(path).items():
            values[key], origin[key] = value, str(path)
    for key in _KEYS:
        variable = "PIP_" + key.upper().replace("-", "_")
        if environ.get(variable, "").strip():
            values[key], origin[key] = environ[variable].strip(), variable
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if "cert" not in values and environ.get(variable):
            values["cert"], origin["cert"] = environ[variable], variable
    no_index = values.get("no-index", "").lower() in ("1", "true", "yes", "on")
    return PipConfig(
        index=None if no_index else values.get("index-url", DEFAULT_INDEX),
        extra_indexes=[] if no_index else values.get("extra-index-url", "").split(),
        find_links=values.get("find-links", "").split(),
        cert=values.get("cert"),
        trusted_hosts=values.get("trusted-host", "").split(),
        proxy=values.get("proxy"),
        timeout_seconds=_timeout(values, origin, environ),
        origin=origin,
    )


def _timeout(values: Mapping[str, str], origin: Mapping[str, str], environ: Mapping[str, str]) -> float:
    name = origin.get("timeout", "PIP_DEFAULT_TIMEOUT")
    text = values.get("timeout") or environ.get("PIP_DEFAULT_TIMEOUT") or "60"
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name}: timeout {text!r} is not a number of seconds") from None


def config_files(environ: Mapping[str, str], prefix: str) -> list[Path]:
    """pip's configuration files that exist here, in the order in which they are read."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    candidates = [Path(entry) / "pip" / "pip.conf" for entry in reversed(shared.split(os.pathsep)) if entry]
    candidates.append(Path("/etc/pip.conf"))
    candidates.append(home / ".pip" / "pip.conf")
    if sys.platform == "darwin":
        candidates.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
    candidates.append(config_home / "pip" / "pip.conf")
    candidates.append(Path(prefix) / "pip.conf")
    if named:
        candidates.append(Path(named))
    return [path for path in candidates if path.is_file()]


def _read_file(path: Path) -> dict[str, str]:
    """The keys we need; a command's section wins over [global], as in pip."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: pip's configuration cannot be read: {error}") from error
    found: dict[str, str] = {}
    for section in ("global", "install", "download"):
        for key in _KEYS:
            if parser.has_option(section, key):
                found[key] = parser.get(section, key).strip()
    return found


def without_password(url: str) -> str:
    """The URL for messages: a password in it is not shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    netloc = "{}:***@{}".format(parts.username or "", parts.hostname or "")
    if parts.port:
        netloc += f":{parts.port}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))

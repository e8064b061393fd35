"""Which hosts and addresses a list allows. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

USUAL_PORTS = (80, 443)
"""What an entry without a port allows."""
_METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)
"""Where clouds hand out a machine's credentials."""
_LOCAL = tuple(
    ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16")
)
"""What no Internet carries, whatever the version of Python knows of it."""
_CARRYING_IPV4 = (ip_network("64:ff9b::/96"), ip_network("::ffff:0:0:0/96"), ip_network("::/96"))
"""Their last 32 bits are an IPv4 address: NAT64, SIIT, and what is no address any more."""


@dataclass(frozen=True, slots=True)
class HostRule:
    """One entry of the list: `host`, `host:port`, `*.domain` or `*.domain:port`."""

    host: str
    """Lower case, without a dot at the end; the domain when `wildcard`."""
    port: int | None = None
    wildcard: bool = False

    @classmethod
    def parse(cls, text: str) -> "HostRule":
        """Raises ValueError for what is no entry."""
        host, port = split_host_port(text.strip())
        wildcard = host.startswith("*.")
        name = normal_host(host[2:] if wildcard else host)
        if not name or "*" in name or "/" in name or "@" in name:
            raise ValueError(f"{text!r} is not host, host:port or *.domain")
        return cls(name, port, wildcard)

    def matches(self, host: str, port: int) -> bool:
        if port not in (USUAL_PORTS if self.port is None else (self.port,)):
            return False
        return host.endswith(f".{self.host}") if self.wildcard else host == self.host


class Rules:
    """The whole list of one sandbox."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._rules = [HostRule.parse(entry) for entry in entries]

    def matching(self, host: str, port: int) -> Sequence[HostRule]:
        """The entries that name this host and port; none means refused."""
        return [rule for rule in self._rules if rule.matches(normal_host(host), port)]


def address_allowed(address: Address, rules: Sequence[HostRule]) -> bool:
    """Whether a name that `rules` allow may lead to this address.

    Public addresses may. A private one needs an entry that names the host exactly, for a wildcard's owner
    could point any name anywhere. Loopback, link-local and metadata addresses must be named themselves
    (`localhost` names loopback), or else whoever owns a listed name could reach this machine with it."""
    address = _unwrapped(address)
    named = {rule.host for rule in rules if not rule.wildcard}
    if str(address) in named:
        return True
    if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_loopback:
        return "localhost" in named
    is_public = address.is_global and not any(address in network for network in _LOCAL)
    return is_public or bool(named)


def normal_host(host: str) -> str:
    host = host.strip("[]").rstrip(".").lower()
    try:
        return str(_unwrapped(ip_address(host)))
    except ValueError:
        return host


def split_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:80`, `[::1]:80`; a bare IPv6 address has no port. Raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not a host")
        return host, _port(rest[1:]) if rest else None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, _port(port) if colon else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f"{text!r} is not a port")
    return int(text)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only carries it."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is not None:
        return inner
    if int(address) > 1 and any(address in network for network in _CARRYING_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address

"""The way out of a sandbox whose network policy is a list of hosts: an HTTP proxy outside of it.

`rules` says what is allowed, `request` reads what is asked, `proxy` carries it.
"""

from ao.sandbox.egress.proxy import EgressProxy
from ao.sandbox.egress.rules import HostRule, Rules

__all__ = ["EgressProxy", "HostRule", "Rules"]

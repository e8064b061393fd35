"""A container image of AO, server, worker and command, self-contained; with an agent in it on demand.

Everything that is installed is collected on this host, by pip as it is configured here, and checked against the
hashes of AO's own lock. The build gets no network, so neither addresses nor passwords of indexes, proxies or
certificate authorities can come into a layer, and what works for `pip` works for the image.
"""

from ao.image.building import Built, Order, build
from ao.image.dockerfile import DEFAULT_BASE, dockerfile
from ao.image.pushing import Pushed, push

__all__ = ["DEFAULT_BASE", "Built", "Order", "Pushed", "build", "dockerfile", "push"]

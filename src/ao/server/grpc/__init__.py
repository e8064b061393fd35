"""The gRPC door: the operations of the REST API for runs, with streams, by the services of `ao.v1`.

Imported only when its port is set. Inside of it, `grpc` is the library.
"""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""This process forks only to start other programs; the library would warn of each."""

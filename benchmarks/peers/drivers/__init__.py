"""What runs inside a peer's environment: the standard library, that peer, and `benchmarks.closed_loop`."""

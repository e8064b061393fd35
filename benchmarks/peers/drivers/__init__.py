"""What runs inside a peer's environment: that peer, and what needs the standard library alone."""

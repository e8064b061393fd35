"""Use cases, one module per aggregate. They decide and call the store; they know nothing of HTTP."""

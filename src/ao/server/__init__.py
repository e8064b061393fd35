"""The HTTP API: REST and event streams under `/v1`, health at `/livez` and `/readyz`."""

"""The typed HTTP client, sync and async, over one layer that does no I/O.

`target` finds the server, `calls` makes requests and reads answers, `retry`, `events` and `outcome` decide
what lost connections, streams and ends of runs mean; `http_sync` and `http_async` only move bytes;
`api` and `async_api` are what users see.
"""

"""The process that holds the sandboxes of one worker.

Standard library only, relative imports only: it is started by path, without the `ao` package, so that it is
up in milliseconds and stays small. `control` says how worker and supervisor talk.
"""

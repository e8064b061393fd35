"""The worker: claims runs for free slots and executes each attempt in a sandbox of its own.

An attempt is a pipeline: resolve → start → stream → classify → report.
"""

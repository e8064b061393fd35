"""What each operation does, by whichever protocol it is asked for: one module per aggregate.

REST routes and gRPC methods let the caller in, read the request into the same models, call the operation and
send its answer.
"""

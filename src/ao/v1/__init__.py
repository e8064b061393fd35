"""The gRPC API: `.proto` files, and what is generated from them.

Where AO is installed, `from ao.v1 import runs_pb2, runs_pb2_grpc` is all that a client needs; where it is not,
protoc makes modules of the same names.
"""

"""ChirpStack's protobuf forms: messages, generated from the .proto files here by `make proto`, and their readers.

The packages have names of their own, so that an installed chirpstack-api cannot meet them in protobuf's one pool.
Importing them costs 30 ms, so that a dialect does it when the first protobuf message comes.
"""

"""Messages of ChirpStack's protobuf forms; `make proto` generates the modules from the .proto files here.

The packages have names of their own, so that an installed chirpstack-api cannot meet them in protobuf's one pool.
Importing one costs 10 ms and more, so that dialects import theirs when the first protobuf message comes.
"""

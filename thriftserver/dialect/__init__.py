"""Which dialect of Thrift a client speaks, and how its messages are packed: bytes in, messages out, replies wrapped."""

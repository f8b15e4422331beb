"""What a client imports of ``thrift.transport``."""

"""What a client imports of ``thrift.protocol``."""

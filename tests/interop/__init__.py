"""Clients and handler classes of other Thrift libraries against a real ``thriftserver run``."""

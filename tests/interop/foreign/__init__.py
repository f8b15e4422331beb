"""One service, and handlers for it as they are written for other Thrift libraries."""

"""What a client of Apache's Python library imports, in modules of the names that ``thrift`` has them under."""

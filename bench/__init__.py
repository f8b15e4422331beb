"""Benchmarks of thriftserver beside its peers; see README.md here. Not part of the package."""

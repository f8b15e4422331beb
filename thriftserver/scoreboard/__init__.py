"""Shared memory in which each worker keeps its own accounts, for anybody to read at any time without asking it."""

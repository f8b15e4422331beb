"""Calls made by hand: what is meant by the words of a command line, one call, and all that can be told of it."""

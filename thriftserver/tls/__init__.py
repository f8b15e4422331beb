"""TLS, ended in a process of its own that holds the keys: the keeper."""

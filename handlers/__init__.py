"""Sample services: each module answers the calls of the file of the same name in ``idl/``."""

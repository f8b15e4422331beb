"""What is wrong with a server, seen from where a client stands: probes of it, and what follows from their answers."""

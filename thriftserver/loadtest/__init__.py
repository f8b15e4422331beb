"""Load tests: many calls of a server on many connections, how long they take, and what comes of them."""

"""TLS: its terms and what is wrong with them, connections through the keeper, and changes while they are there."""

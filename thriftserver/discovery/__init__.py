"""Where services are: addresses as people write them, and names that stand for several."""
